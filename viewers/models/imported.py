"""Viewers of the past: by which name the system that had them before calls them."""

from django.db import models

from config.ids import uuid7
from viewers.models.viewers import Viewer

SOURCE_CHARACTERS = 40
EXTERNAL_ID_CHARACTERS = 200


class ImportedViewer(models.Model):
    """A viewer that an import of history made, and the name that its source has for them.

    A later import from the same source finds them by it. It is deleted when the viewer is erased.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer = models.ForeignKey(Viewer, models.PROTECT, related_name="imported_as")
    source = models.CharField(max_length=SOURCE_CHARACTERS)
    external_id = models.CharField(max_length=EXTERNAL_ID_CHARACTERS)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], name="importedviewer_once_per_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"
