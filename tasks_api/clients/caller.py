"""A client as a request knows it."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from tasks_api.clients.rate import Rate
from tasks_api.models import Client, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    Who sent a request, and what that client may do; read once and then kept for a few seconds.

    `key_expires_at` is None for a key without end, and for a client that came without a key.
    """

    number: int
    name: str
    scopes: frozenset[str]
    task_patterns: tuple[str, ...]
    rate: Rate | None
    key_expires_at: datetime | None

    @classmethod
    def of(cls, client: Client, *, key_expires_at: datetime | None = None) -> "Caller":
        """Take down what the client's row says now."""
        return cls(
            number=client.number,
            name=client.name,
            scopes=frozenset(client.scopes),
            task_patterns=tuple(client.task_patterns),
            rate=Rate.of(client.rate),
            key_expires_at=key_expires_at,
        )

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    def may(self, scope: str) -> bool:
        """Tell whether the client has the scope; an admin reads without the scope for it."""
        return scope in self.scopes or (scope == Scope.READ and self.is_admin)

    def may_enqueue(self, task_name: str) -> bool:
        """Tell whether the client may enqueue tasks of this type."""
        return Scope.ENQUEUE in self.scopes and any(
            fnmatchcase(task_name, pattern) for pattern in self.task_patterns
        )
