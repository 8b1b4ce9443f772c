"""Settings of a small Django project that enqueues by Django REST framework."""

import os

import environ

DATABASES = {
    "default": {**environ.Env.db_url_config(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": 600}
}
INSTALLED_APPS = ["rest_framework", "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.peers.naive_drf"
SECRET_KEY = "only-for-benchmarks-which-keep-nothing"  # noqa: S105
USE_TZ = True
