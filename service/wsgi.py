"""The WSGI application: `gunicorn -c service/gunicorn.conf.py service.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")

application = get_wsgi_application()

# Import the views now, so that the first request does not wait for that.
get_resolver().url_patterns  # noqa: B018
