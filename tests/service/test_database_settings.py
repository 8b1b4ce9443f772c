"""What the service sets for its connections to PostgreSQL."""

import os
import socket
from typing import Any

import psycopg
import pytest

from service.database import database_settings
from service.environment import read_environment


def options(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    monkeypatch.setenv("DATABASE_URL", url)
    settings: dict[str, Any] = database_settings(read_environment())["OPTIONS"]
    settings.pop("pool", None)
    return settings


@pytest.mark.postgres
def test_connections_notice_a_server_that_is_silently_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, **options(monkeypatch, url)) as connection:
        opened = socket.socket(fileno=os.dup(connection.fileno()))
        with opened:
            tcp = socket.IPPROTO_TCP
            assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            until_noticed = opened.getsockopt(tcp, socket.TCP_KEEPIDLE) + opened.getsockopt(
                tcp, socket.TCP_KEEPINTVL
            ) * opened.getsockopt(tcp, socket.TCP_KEEPCNT)
            assert until_noticed <= 30
            assert opened.getsockopt(tcp, socket.TCP_USER_TIMEOUT) <= 30_000


def test_the_url_overrides_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "keepalives_idle=60&tcp_user_timeout=0&connect_timeout=2&sslmode=require"
    settings = options(monkeypatch, f"postgres://user@host/name?{query}")

    chosen = {name: str(settings[name]) for name in query.replace("&", "=").split("=")[::2]}
    assert chosen == dict(pair.split("=") for pair in query.split("&"))
    assert settings["keepalives_count"] == 3
    # A pooler refuses parameters of the server that it does not know.
    assert "options" not in settings
