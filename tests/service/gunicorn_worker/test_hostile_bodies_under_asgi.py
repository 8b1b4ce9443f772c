"""The bodies that are sent to the service under its own worker class are sent to the one under ASGI too."""

import pytest

from tests.http.test_hostile_bodies import *  # noqa: F403
from tests.live_service import LiveService
from tests.service.gunicorn_worker.conftest import KINDS, StartServer

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def service(start_server: StartServer) -> LiveService:
    return start_server(*KINDS[2], worker=True)
