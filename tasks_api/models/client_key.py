"""The keys of clients."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks_api.models.client import Client


class ClientKeyQuerySet(models.QuerySet["ClientKey"]):
    def revoke(self) -> int:
        """Revoke the keys that are not revoked yet; return their number."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())

    def used(self, key_ids: set[str], *, interval: timedelta) -> int:
        """Record the use of these keys, at most once per interval; return how many were updated."""
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - interval)
        return self.filter(stale, pk__in=key_ids).update(last_used_at=now)


class ClientKey(models.Model):
    """
    A key that a client authenticates with; it can have several, so that they rotate without a gap.

    The secret is not stored, only a SHA-256 digest of the whole key.
    """

    key_id = models.CharField(max_length=12, primary_key=True, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="keys")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ClientKeyQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.key_id

    @property
    def is_usable(self) -> bool:
        """Whether it is neither revoked nor expired, and its client is enabled."""
        has_expired = self.expires_at is not None and timezone.now() >= self.expires_at
        return self.revoked_at is None and not has_expired and self.client.is_enabled
