"""Answers kept for clients that ask again with the same key."""

from django.db import models

from config.ids import uuid7
from viewers.models import Viewer


class IdempotencyRecord(models.Model):
    """The outcome of one keyed request, stored in the same transaction as its effect."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.CASCADE, related_name="+", db_index=False)
    operation = models.CharField(max_length=30)
    key = models.CharField(max_length=100)
    fingerprint = models.BinaryField()
    outcome = models.JSONField(null=True)
    answer = models.BinaryField(
        null=True, help_text="The body as it was first sent, if it can vary"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "operation", "key"], name="payments_idempotency_once"
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_prune")]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"
