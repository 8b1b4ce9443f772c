"""The access log of stock gunicorn, which has the query of each request."""

from typing import Any

import pytest

from tests.conftest import running
from tests.http.test_task_token_attacks import assert_not_logged
from tests.live_project import LiveProject
from tests.live_service import wait_until


class WithAccessLog(LiveProject):
    """The project under stock gunicorn, which logs each query."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.gunicorn_arguments = (*self.gunicorn_arguments, "--access-logfile=-")


def test_no_log_of_stock_gunicorn_has_a_task_token(
    project: LiveProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("logging")
    logging = WithAccessLog(project.database_url, directory=directory, key=project.key)
    with running(logging, worker=False):
        # The query of anything else is there.
        logging.get("/api/tasks/?page_size=7")
        wait_until(lambda: "page_size=7" in logging.log(), what="line in the log")
        # It has no place for a stream.
        assert_not_logged(logging, "tests.project.shop.tasks.add", streamed=503)
