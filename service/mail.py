"""The mail server of `EMAIL_URL`."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

CONSOLE = "django.core.mail.backends.console.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
"""The usual port for each scheme: without TLS, with STARTTLS, with TLS from the start."""

TIMEOUT_SECONDS = 30


def mailer(url: str) -> dict[str, Any]:
    """
    Return the entry of Django's setting `MAILERS`; without a URL, e-mail is written to the console.

    Raises:
        ImproperlyConfigured: the URL is not that of a mail server.

    """
    if not url:
        return {"BACKEND": CONSOLE}
    try:
        server = urlsplit(url)
        port = server.port or PORTS[server.scheme]
    except (ValueError, KeyError):
        server = None
    if server is None or not server.hostname:
        # Neither with the URL nor with the cause, which may contain the password.
        raise ImproperlyConfigured(
            "EMAIL_URL is not the URL of a mail server, such as "
            "smtp+tls://user:password@mail.example.org:587."
        )
    return {
        "BACKEND": SMTP,
        "OPTIONS": {
            "host": server.hostname,
            "port": port,
            "username": unquote(server.username or ""),
            "password": unquote(server.password or ""),
            "use_tls": server.scheme == "smtp+tls",
            "use_ssl": server.scheme == "smtp+ssl",
            "timeout": TIMEOUT_SECONDS,
        },
    }


def settings_before_mailers(mailer: dict[str, Any]) -> dict[str, Any]:
    """Return the same as the settings of Django 6.0, such as `EMAIL_HOST`."""
    names = {"username": "HOST_USER", "password": "HOST_PASSWORD"}
    return {"EMAIL_BACKEND": mailer["BACKEND"]} | {
        f"EMAIL_{names.get(option, option.upper())}": value
        for option, value in mailer.get("OPTIONS", {}).items()
    }
