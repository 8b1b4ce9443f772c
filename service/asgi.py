"""The ASGI application: `gunicorn -c service/gunicorn.conf.py -k asgi service.asgi`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from service.database import share_connections
from tasks_api.asgi import HoldRequests

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")

# Each request has a thread of its own, whose connection would be lost with it.
share_connections(settings.DATABASES["default"])
application = HoldRequests(get_asgi_application())

# Import the views now, so that the first request does not wait for that.
get_resolver().url_patterns  # noqa: B018
