"""Patterns of task types that match none: most are mistyped."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from fnmatch import filter as matching

from tasks_api.calls.registry import registry


def unmatched_by_discovered(patterns: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each pattern that matches no task of the installed apps."""
    for pattern in patterns:
        if not matching(registry.discovered, pattern):
            yield f"The pattern {pattern} matches no task{_close(pattern, registry.discovered)}."


def unmatched_by_exposed(patterns: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each pattern that matches no task type that clients can enqueue."""
    for pattern in patterns:
        if matching(registry.task_types, pattern):
            continue
        if hidden := matching(registry.discovered, pattern):
            yield f"The pattern {pattern} matches {hidden[0]}, which TASKS_API['TASKS'] does not expose."
        else:
            close = _close(pattern, registry.task_types)
            yield f"The pattern {pattern} matches no exposed task type{close}."


def _close(pattern: str, names: Collection[str]) -> str:
    modules = {f"{name.rpartition('.')[0]}.*" for name in names}
    candidates = get_close_matches(pattern, sorted({*names, *modules}))
    return f"; close to it: {', '.join(candidates)}" if candidates else ""
