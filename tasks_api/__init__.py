"""Django's background tasks over HTTP."""

__version__ = "0.1.0"
