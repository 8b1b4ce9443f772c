"""A Django project as tutorials have it, with the app installed under `/api/`."""
