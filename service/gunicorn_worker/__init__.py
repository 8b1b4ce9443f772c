"""What overrides gunicorn or relies on its internals; no other part of the service does."""
