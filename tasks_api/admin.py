"""Clients and keys in Django's admin; a new key is shown only once, by the page after its creation."""

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from tasks_api.calls.catalogue import task_types_for
from tasks_api.calls.patterns import unmatched_by_exposed
from tasks_api.calls.registry import registry
from tasks_api.clients import key_format
from tasks_api.clients.caller import Caller
from tasks_api.models import Client, ClientKey, Scope, every_task, scope_choices, usual_scopes


class Lines(forms.CharField):
    """A list of strings, one on each line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class ClientForm(forms.ModelForm):  # type: ignore[type-arg]
    """Scopes as checkboxes, and task patterns as lines."""

    scopes = forms.MultipleChoiceField(
        choices=scope_choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        # What `create_client` grants.
        initial=usual_scopes,
    )
    task_patterns = Lines(
        required=False,
        initial=every_task,
        help_text="Which of the exposed task types it may enqueue, one pattern on each line: shop.tasks.*",
    )

    class Meta:
        model = Client
        fields = ("name", "is_enabled", "scopes", "task_patterns", "rate")


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Clients can be created and changed here, but not deleted."""

    form = ClientForm
    list_display = ("name", "is_enabled", "scopes", "task_patterns", "rate", "created_at")
    readonly_fields = ("created_at",)
    search_fields = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        level, sentence = _abilities(obj)
        self.message_user(request, sentence, level)
        for sentence in unmatched_by_exposed(obj.task_patterns):
            self.message_user(request, sentence, messages.WARNING)
        if obj.is_enabled and not any(key.is_usable for key in obj.keys.all()):
            text = f"The client {obj} has no valid key: add one under Client keys."
            self.message_user(request, text, messages.WARNING)


def _abilities(client: Client) -> tuple[int, str]:
    """Return what a client can do now, and whether that is worth a warning."""
    if not client.is_enabled:
        return messages.WARNING, f"The client {client} is disabled: its requests are refused."
    if not client.scopes:
        return messages.WARNING, f"The client {client} can do nothing: it has no scope."
    labels = dict(scope_choices())
    can = f"The client {client} can: {', '.join(labels[scope].lower() for scope in client.scopes)}."
    if Scope.ENQUEUE not in client.scopes:
        return messages.INFO, can
    if number := len(task_types_for(Caller.of(client))):
        return messages.INFO, f"{can} Task types: {number} of {len(registry.task_types)}."
    return (
        messages.WARNING,
        f"{can} But its patterns match no task type, so it can enqueue nothing.",
    )


@admin.register(ClientKey)
class ClientKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Keys can be issued and revoked here; neither keys nor digests can be read later."""

    list_display = ("key_id", "client", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("client",)
    list_select_related = ("client",)
    fields = ("client", "expires_at")
    actions = ("revoke",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.list_display

    def save_model(self, request: HttpRequest, obj: ClientKey, form: Any, change: bool) -> None:
        if not change:
            key = key_format.generate()
            obj.key_id, obj.digest = key.key_id, key.digest
            super().save_model(request, obj, form, change)
            # Only for the answer to this request: messages and sessions must not contain it.
            request.new_key = key  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ClientKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "The new key",
            "opts": self.opts,
            "key": request.new_key,  # type: ignore[attr-defined]
            "client": obj.client,
        }
        template = "admin/tasks_api/clientkey/shown_once.html"
        response = TemplateResponse(request, template, context)
        add_never_cache_headers(response)
        return response

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ClientKey]) -> None:
        number = ClientKey.objects.filter(pk__in=queryset.values("pk")).revoke()
        self.message_user(request, f"{number} revoked.")


if apps.is_installed("django_tasks_db"):
    from tasks_api.backends.database.admin import replace_page

    replace_page()
