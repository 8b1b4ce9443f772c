"""
The text of a key: `tk_<key id>_<secret><checksum>`, in letters and digits.

A double click selects all of it. The key id, 12 characters, is public: lists and logs may show it.
The secret is 256 random bits in 43 characters. The checksum, 6 characters, is the CRC-32 of all that
stands before it: a key that was cut or mistyped is told apart without a query, and scanners for leaked
secrets can tell one of ours from noise. It protects nothing: the secret does.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "tk_"
SECRET_BITS = 256

_ID_LENGTH = 12
_SECRET_LENGTH = 43
_CHECKSUM_LENGTH = 6
_FORM = re.compile(
    f"{PREFIX}(?P<key_id>[0-9A-Za-z]{{{_ID_LENGTH}}})"
    f"_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key of the right form: what it is looked up by, and what is compared."""

    key_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just drawn; the text is to be shown once and kept nowhere."""

    key_id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        return _digest(self.text)


def draw() -> NewKey:
    """Draw a new key."""
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(_ID_LENGTH))
    body = f"{PREFIX}{key_id}_{_base62(secrets.randbits(SECRET_BITS), _SECRET_LENGTH)}"
    return NewKey(key_id, body + _checksum(body))


def parse(text: str) -> PresentedKey | None:
    """Read a key that somebody presents; None for what cannot be one of ours."""
    match = _FORM.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return PresentedKey(match["key_id"], _digest(text))


def _digest(text: str) -> str:
    # No slow hash: 256 random bits cannot be guessed, however fast one guesses.
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
