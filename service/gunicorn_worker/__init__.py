"""The only code of the service that overrides gunicorn or relies on its internals."""
