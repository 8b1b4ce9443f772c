"""Liveness and readiness."""

import pytest
from django.db import connection
from django.test import Client


def test_a_process_is_alive_whatever_its_store(client: Client) -> None:
    response = client.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db(transaction=True)
def test_a_store_without_tables_is_not_ready(client: Client) -> None:
    assert client.get("/readyz").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_tasks_database_dbtaskresult RENAME TO elsewhere")
    try:
        response = client.get("/readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO django_tasks_database_dbtaskresult")

    assert response.status_code == 503
    assert response.json()["code"] == "store_unavailable"
    assert "elsewhere" not in response.content.decode()
