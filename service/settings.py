"""The service's settings, each from an environment variable; `docs/settings.md` lists them."""

from typing import Any
from urllib.parse import urlsplit

import django
import environ
from django.core.exceptions import ImproperlyConfigured

from service.database import database_settings, secret_key
from service.environment import BACKENDS, read_environment
from service.mail import mailer, settings_before_mailers
from tasks_api import cors

environment = read_environment()

# The database and Django's basic settings.

database = database_settings(environment)
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SECRET_KEY = secret_key(environment, database)
SECRET_KEY_FALLBACKS = list(environment.secret_key_fallbacks)
DEBUG = environment.debug
ALLOWED_HOSTS = environment.allowed_hosts

# The apps, middlewares and pages.

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
    *environment.task_apps,
]
MIDDLEWARE = [
    "tasks_api.http.middleware.RequestIDMiddleware",
    # From here on only for pages, such as the admin; the API's requests skip these.
    "service.pages.PagesMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "service.pages.end_of_pages",
]
if environment.cors_allowed_origins:
    # Before what answers, so that scripts can read problems too.
    MIDDLEWARE.insert(1, "corsheaders.middleware.CorsMiddleware")
    INSTALLED_APPS.append("corsheaders")
    CORS_ALLOWED_ORIGINS = list(environment.cors_allowed_origins)
    # All but the pages (`service.pages.PREFIXES`): what is wrong with a path, the API's 404 says.
    CORS_URLS_REGEX = r"/(?!admin/|static/|docs|problems)"
    CORS_ALLOW_METHODS = cors.ALLOW_METHODS
    CORS_ALLOW_HEADERS = cors.ALLOW_HEADERS
    CORS_EXPOSE_HEADERS = cors.EXPOSE_HEADERS
# Pages load only the service's own scripts and styles, and other sites may not show them in frames.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "connect-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
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
# Swagger UI is served from the installed package, without `collectstatic`.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Whose default is to let scripts of all origins read them.
WHITENOISE_ALLOW_ALL_ORIGINS = False
USE_TZ = True
TIME_ZONE = "UTC"

# E-mail. Django 6.1 has a new setting, and warns about the old ones.

DEFAULT_FROM_EMAIL = environment.default_from_email
if django.VERSION >= (6, 1):
    MAILERS = {"default": mailer(environment.email_url)}
else:
    globals().update(settings_before_mailers(mailer(environment.email_url)))

# Tasks.

TASKS = {
    "default": {
        "BACKEND": BACKENDS.get(environment.tasks_backend, environment.tasks_backend),
        "QUEUES": sorted({"default", "emails", "reports", *environment.tasks_queues}),
        "OPTIONS": {"id_function": "tasks_api.ids.new_task_id"},
    }
}
TASKS_API = environment.tasks_api
PUBLIC_URL: str = TASKS_API["PUBLIC_URL"]

# The cache for rate limits, which are counted in the database without it.

if environment.cache_url:
    try:
        CACHES = {"default": environ.Env.cache_url_config(environment.cache_url)}
    except (ValueError, environ.ImproperlyConfigured) as error:
        raise ImproperlyConfigured(
            "CACHE_URL is not the URL of a cache, such as redis://host:6379/0."
        ) from error
    TASKS_API["RATE_CACHE"] = "default"

# The admin's sessions; cookies only over TLS if the public URL has https.

IS_BEHIND_TLS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_BEHIND_TLS
if IS_BEHIND_TLS:
    # The proxy redirects from HTTP and says for how long its host has TLS (HSTS): the service answers
    # health checks without TLS, and shares the host with what else the proxy serves.
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
CSRF_TRUSTED_ORIGINS = (
    ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))] if PUBLIC_URL else []
)

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "DEFAULT_GENERATOR_CLASS": "tasks_api.http.openapi.document.SchemaGenerator"
}

# Logs.

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
            "class": "tasks_api.logs.LineHandler",
            "filters": ["request_id"],
            "formatter": environment.log_format,
        }
    },
    "root": {"handlers": ["console"], "level": environment.log_level},
    # Django's own handlers for these would write each line twice.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # Refused requests are in the access log.
        "django.request": {"level": "ERROR"},
    },
}
