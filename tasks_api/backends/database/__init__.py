"""The adapter for django-tasks-db, and what only that needs."""
