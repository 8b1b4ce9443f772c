"""What the app registers: a scope, a member of calls and of tasks, a filter of lists, a resource."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from django.db.models import Q, UUIDField
from django.db.models.functions import Cast

from tasks_api.backends import StoredTask
from tasks_api.backends.list_filters import ListFilter, register_list_filter
from tasks_api.calls.members import CallMember, register_call_member
from tasks_api.clients.caller import Caller
from tasks_api.faults import FAULT_CODES, Fault
from tasks_api.http.openapi.operation import TAGS
from tasks_api.http.routes import Route, register_route
from tasks_api.models import Scope, register_scope
from tasks_api.problems import InvalidRequest
from tasks_api.results.members import TaskMember, register_task_member
from tests.project.notes.models import Note
from tests.project.notes.views import NoteViewSet

UNWANTED = "unwanted"


class NoteSize(TypedDict):
    """How long a note is."""

    characters: int


def check_note(value: Any, caller: Caller) -> list[Fault]:
    if not isinstance(value, str):
        return [Fault("string_type", "Should be a string.", pointer="")]
    if len(value) > 100:
        return [Fault("string_too_long", "Should have at most 100 characters.", pointer="")]
    return []


def keep_notes(tasks: Sequence[tuple[StoredTask, Any]]) -> None:
    if any(text == UNWANTED for _, text in tasks):
        raise InvalidRequest(faults=[Fault("unwanted_note", "Should be wanted.", pointer="/note")])
    Note.objects.bulk_create([Note(task=task.id, text=text) for task, text in tasks])


def notes_of(tasks: Sequence[StoredTask]) -> Mapping[str, str]:
    rows = Note.objects.filter(pk__in=[task.id for task in tasks])
    return dict(rows.values_list("pk", "text"))


def sizes_of(tasks: Sequence[StoredTask]) -> Mapping[str, NoteSize]:
    return {task: NoteSize(characters=len(text)) for task, text in notes_of(tasks).items()}


def with_note(text: str) -> Q:
    notes = Note.objects.filter(text=text).annotate(key=Cast("pk", UUIDField()))
    return Q(pk__in=list(notes.values_list("key", flat=True)))


FAULT_CODES["unwanted_note"] = "Nobody wants this note."
TAGS["notes"] = "What was noted of tasks."
register_scope("note", "Read notes", needs=Scope.READ)
register_call_member(
    CallMember(
        "note", schema={"type": "string", "maxLength": 100}, check=check_note, enqueued=keep_notes
    )
)
register_task_member(TaskMember("note", hint=str | None, values=notes_of))
register_task_member(TaskMember("note_size", hint=NoteSize | None, values=sizes_of))
register_list_filter(
    ListFilter(
        name="note",
        description="The note of a task.",
        parse=str,
        code="string_type",
        expected="Should be a note.",
        rows=with_note,
    )
)
register_route(Route("notes", "notes", NoteViewSet, {"get": "list"}, link="notes"))
