"""What optional apps have registered, by name."""

from collections.abc import Collection

from django.core.exceptions import ImproperlyConfigured


class Registered[Value](dict[str, Value]):
    """A dictionary in which each name is taken once, and none that the core uses itself."""

    def __init__(self, kind: str, *, reserved: Collection[str] = ()) -> None:
        super().__init__()
        self._kind = kind
        self._reserved = frozenset(reserved)

    def add(self, name: str, value: Value) -> None:
        """
        Register a value; registering the same one again changes nothing.

        Raises:
            ImproperlyConfigured: the name is taken.

        """
        if name in self._reserved or self.setdefault(name, value) != value:
            raise ImproperlyConfigured(f"There is already a {self._kind} {name!r}.")
