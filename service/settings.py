"""The service's settings, each from an environment variable; `docs/settings.md` lists them."""

import logging
import os
from typing import Any
from urllib.parse import urlsplit

import django
import environ
from django.core.exceptions import ImproperlyConfigured

from service.database import database_settings, secret_key
from service.environment import switch, whole_number

env = environ.Env()

# What the service runs with.

database = database_settings()
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = secret_key(database)
DEBUG = switch("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

# The apps: what brings tasks, what runs them, what serves them.

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks_db",
    "tasks_api",
    "service",
    *env.list("TASK_APPS", default=[]),
]
MIDDLEWARE = [
    "tasks_api.http.middleware.RequestIDMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "service.admin_pages.ContentSecurityPolicyMiddleware",
    "service.admin_pages.SessionMiddleware",
    "service.admin_pages.CsrfViewMiddleware",
    "service.admin_pages.AuthenticationMiddleware",
    "service.admin_pages.MessageMiddleware",
]
ROOT_URLCONF = "service.urls"
WSGI_APPLICATION = "service.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
# Swagger UI is served from the installed package: there is no step that collects files.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
USE_TZ = True
TIME_ZONE = "UTC"
# E-mail is written to the console. Django 6.1 took a new setting and warns of the old one.
CONSOLE_MAIL = "django.core.mail.backends.console.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": CONSOLE_MAIL}}
else:
    EMAIL_BACKEND = CONSOLE_MAIL

# Tasks.

BACKENDS = {
    "database": "django_tasks_db.DatabaseBackend",
    "immediate": "django.tasks.backends.immediate.ImmediateBackend",
    "dummy": "django.tasks.backends.dummy.DummyBackend",
}
TASKS_BACKEND = env.str("TASKS_BACKEND", default="database")
if TASKS_BACKEND not in BACKENDS and "." not in TASKS_BACKEND:
    raise ImproperlyConfigured(
        f"TASKS_BACKEND must be one of {', '.join(BACKENDS)}, or the dotted path of a task backend."
    )
TASKS = {
    "default": {
        "BACKEND": BACKENDS.get(TASKS_BACKEND, TASKS_BACKEND),
        "QUEUES": sorted(
            {
                "default",
                "emails",
                "reports",
                *env.list("TASKS_QUEUES", default=[]),
            }
        ),
        "OPTIONS": {"id_function": "tasks_api.ids.new_task_id"},
    }
}
PUBLIC_URL = env.str("PUBLIC_URL", default="")
if PUBLIC_URL and not (
    urlsplit(PUBLIC_URL).netloc and PUBLIC_URL.startswith(("http://", "https://"))
):
    raise ImproperlyConfigured("PUBLIC_URL must be a URL, such as https://tasks.example.org.")
RETENTION_DAYS = whole_number("RETENTION_DAYS", default=14, minimum=0, maximum=36_500)
TASKS_API = {
    "TASKS": env.list("TASKS_API_TASKS", default=["service.tasks.*"]),
    "PUBLIC_URL": PUBLIC_URL,
    "PUBLIC_CATALOGUE": switch("PUBLIC_CATALOGUE", default=False),
    "TRACEBACKS": env.str("TRACEBACKS", default="owner"),
    "REMEMBER_KEYS_SECONDS": whole_number(
        "REMEMBER_KEYS_SECONDS", default=5, minimum=0, maximum=3600
    ),
    "MAX_BODY_BYTES": whole_number(
        "MAX_BODY_BYTES", default=1024 * 1024, minimum=1024, maximum=100_000_000
    ),
    "MAX_DEPTH": whole_number("MAX_DEPTH", default=32, minimum=2, maximum=200),
    "MAX_RESULT_BYTES": whole_number(
        "MAX_RESULT_BYTES", default=1024 * 1024, minimum=1024, maximum=100_000_000
    ),
    "LOST_AFTER_SECONDS": whole_number("LOST_AFTER_SECONDS", default=30, minimum=1, maximum=86400),
    "REQUEUE_WHEN_LOST": env.list("REQUEUE_WHEN_LOST", default=[]),
    "RETENTION_DAYS": RETENTION_DAYS,
    "RETENTION_DAYS_FAILED": whole_number(
        "RETENTION_DAYS_FAILED", default=RETENTION_DAYS, minimum=0, maximum=36_500
    ),
}

# Where rates are counted: one place for all web processes, or they cannot be exact.

try:
    CACHES = {"default": env.cache_url_config(os.environ.get("CACHE_URL") or "locmemcache://")}
except (ValueError, environ.ImproperlyConfigured) as error:
    raise ImproperlyConfigured(
        "CACHE_URL is not the URL of a cache, such as redis://host:6379/0."
    ) from error
if CACHES["default"]["BACKEND"].endswith("LocMemCache"):
    # By default it forgets all but a few hundred entries, and with them counts of other clients.
    CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 1_000_000}
if whole_number("WEB_CONCURRENCY", default=2, minimum=1, maximum=256) == 1:
    # One process can count in its own memory.
    SILENCED_SYSTEM_CHECKS = ["tasks_api.W004"]

# The admin's sessions, over TLS where the public URL says that there is TLS.

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = (
    ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))] if PUBLIC_URL else []
)

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "DEFAULT_GENERATOR_CLASS": "tasks_api.http.openapi.document.SchemaGenerator"
}

# Logs.

LOG_FORMAT = env.str("LOG_FORMAT", default="console")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_FORMAT not in {"console", "json"}:
    raise ImproperlyConfigured("LOG_FORMAT must be console or json.")
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "tasks_api.logs.RequestIDFilter"}},
    "formatters": {
        "console": {
            "()": "tasks_api.logs.RecordFormatter",
            "format": "{asctime} {levelname} {name} [{request_id}] {message}",
            "style": "{",
        },
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{request_id}{message}",
            "style": "{",
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": LOG_FORMAT,
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Django's own handlers for these would write each line twice.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # The access log tells of refused requests.
        "django.request": {"level": "ERROR"},
    },
}
