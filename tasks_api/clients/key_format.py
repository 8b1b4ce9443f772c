"""
The format of a key: `tk_<key id>_<secret><checksum>`, in letters and digits.

A double click selects all of it. The key id, 12 characters, is public: lists and logs may show it.
The secret is 256 random bits in 43 characters. The checksum, 6 characters, is the CRC-32 of everything
before it: a truncated or mistyped key is detected without a query, and scanners for leaked secrets can
recognize our keys. It adds no security; the secret provides that.
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
LENGTH = len(PREFIX) + _ID_LENGTH + 1 + _SECRET_LENGTH + _CHECKSUM_LENGTH
_FORM = re.compile(
    f"{PREFIX}(?P<key_id>[0-9A-Za-z]{{{_ID_LENGTH}}})"
    f"_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A well-formed key: the id to look it up by, and the digest to compare."""

    key_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A newly generated key; show its text once and do not store it."""

    key_id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        return digest(self.text)


def generate() -> NewKey:
    """Generate a new key."""
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(_ID_LENGTH))
    body = f"{PREFIX}{key_id}_{_base62(secrets.randbits(SECRET_BITS), _SECRET_LENGTH)}"
    return NewKey(key_id, body + _checksum(body))


def id_in(text: str) -> str:
    """Return the id of a key of the right length, whatever it is."""
    return text[len(PREFIX) : len(PREFIX) + _ID_LENGTH]


def parse(text: str) -> PresentedKey | None:
    """Read a key; None for a text that cannot be one of our keys."""
    match = _FORM.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return PresentedKey(match["key_id"], digest(text))


def digest(text: str) -> str:
    """Return what is stored of a key."""
    # A fast hash is enough: 256 random bits cannot be guessed.
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
