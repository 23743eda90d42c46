"""How the episodes of a title may be opened, and who has decided that."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from catalog.models.series import Series
from config.ids import uuid7


class AccessChange(models.Model):
    """An operator has changed a title's access mode. Added by `catalog.access` alone, never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="access_changes")
    was = models.CharField(max_length=10, choices=Series.AccessMode.choices)
    mode = models.CharField(max_length=10, choices=Series.AccessMode.choices)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False
    )
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(was=F("mode")), name="catalog_accesschange_changes_something"
            ),
        ]
        indexes = [models.Index(fields=["changed_at"], name="catalog_accesschange_by_time")]

    def __str__(self) -> str:
        return f"{self.series_id}: {self.was} to {self.mode}"
