"""Values from the environment that are checked: a typo is reported, not taken for a default."""

import os

from django.core.exceptions import ImproperlyConfigured

SWITCHES = {"1": True, "on": True, "true": True, "yes": True}
SWITCHES |= {"0": False, "off": False, "false": False, "no": False, "": False}


def whole_number(name: str, *, default: int, minimum: int, maximum: int) -> int:
    """
    Read a whole number.

    Raises:
        ImproperlyConfigured: it is none, or it lies outside the bounds.

    """
    given = os.environ.get(name, "").strip() or str(default)
    is_number = given.isascii() and given.isdigit() and len(given) < 10
    if not (is_number and minimum <= int(given) <= maximum):
        raise ImproperlyConfigured(f"{name} must be a whole number, {minimum} to {maximum}.")
    return int(given)


def switch(name: str, *, default: bool) -> bool:
    """
    Read `on` or `off`, in any of the usual spellings.

    Raises:
        ImproperlyConfigured: it is neither.

    """
    try:
        return SWITCHES[os.environ.get(name, "on" if default else "off").strip().lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name} must be on or off.") from None
