from typing import TypedDict

from django.http import HttpRequest, HttpResponse
from rest_framework.viewsets import ViewSet

from tasks_api.http.openapi.operation import Answer, Operation
from tasks_api.http.protocol.responses import json_response
from tasks_api.http.views.resource import Resource
from tests.project.notes.models import Note


class NoteListRepresentation(TypedDict):
    """The texts of notes."""

    results: list[str]


class NoteViewSet(Resource, ViewSet):
    """Notes."""

    tag = "notes"

    @Operation(
        "list_notes",
        scope="note",
        answers={200: Answer(description="The notes.", representation=NoteListRepresentation)},
    )
    def list(self, request: HttpRequest) -> HttpResponse:
        """
        List the notes.

        Answers with all of them.
        """
        return json_response({"results": list(Note.objects.values_list("text", flat=True))})
