"""The adapter for django-tasks-db, and all that serves it alone."""
