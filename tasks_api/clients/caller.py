"""The client that sent a request."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from tasks_api.clients.rate import Rate
from tasks_api.models import Client, ClientKey, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    The client that sent a request, and what it may do; cached for a few seconds.

    `key_id` is None for a request without a key of ours, and `key_expires_at` also for a key that does not
    expire. With a task token, `only_task` is the id of the only task that may be read, and `token_expires_at` is
    when the token ends (POSIX, in seconds).
    """

    number: int
    name: str
    scopes: frozenset[str]
    task_patterns: tuple[str, ...]
    rate: Rate | None
    key_id: str | None = None
    key_expires_at: datetime | None = None
    only_task: str | None = None
    token_expires_at: float | None = None

    @classmethod
    def of(cls, client: Client, *, key: ClientKey | None = None) -> "Caller":
        """Copy the current state of the client's row."""
        return cls(
            number=client.number,
            name=client.name,
            scopes=frozenset(client.scopes),
            task_patterns=tuple(client.task_patterns),
            rate=Rate.of(client.rate),
            key_id=None if key is None else key.key_id,
            key_expires_at=None if key is None else key.expires_at,
        )

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    def may(self, scope: str) -> bool:
        """Return whether the client has the scope; an admin may read without the scope `read`."""
        return scope in self.scopes or (scope == Scope.READ and self.is_admin)

    def may_enqueue(self, task_name: str) -> bool:
        """Return whether the client may enqueue tasks of this type."""
        return Scope.ENQUEUE in self.scopes and any(
            fnmatchcase(task_name, pattern) for pattern in self.task_patterns
        )
