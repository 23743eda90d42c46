"""Where viewers stand, and what they want to find again."""

from django.db import models

from catalog.models.episodes import Episode
from catalog.models.series import Series
from config.ids import uuid7
from viewers.models import Viewer


class WatchPosition(models.Model):
    """How far a viewer is in a series: the last episode, and the millisecond of its story."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The unique constraint starts with the viewer, so it serves as this key's index.
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    episode = models.ForeignKey(Episode, models.PROTECT, related_name="+", db_index=False)
    position_ms = models.PositiveIntegerField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["viewer", "series"], name="catalog_position_one_per_series"
            )
        ]
        indexes = [
            models.Index(fields=["viewer", "-updated_at", "-id"], name="catalog_position_newest")
        ]

    def __str__(self) -> str:
        return f"{self.series_id} at {self.position_ms} ms"


class Favorite(models.Model):
    """A series that a viewer wants to find again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="+", db_index=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["viewer", "series"], name="catalog_favorite_once")
        ]
        indexes = [
            models.Index(fields=["viewer", "-created_at", "-id"], name="catalog_favorite_newest")
        ]

    def __str__(self) -> str:
        return str(self.series_id)
