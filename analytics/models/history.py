"""Another system's past, as it was brought here."""

from django.db import models

from config.ids import uuid7
from viewers.models import SOURCE_CHARACTERS


class HistoryKind(models.TextChoices):
    """What a file of the past tells of."""

    EVENTS = "events", "Events"
    PURCHASES = "purchases", "Purchases"


class HistoryImport(models.Model):
    """A file of another system's past, read by one mapping. What it tells counts once `finished_at` is set.

    Its id is the batch of every event that it brought, and `started_at` is when all of them were received: rows
    of the lake name both however files are merged.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=SOURCE_CHARACTERS)
    kind = models.CharField(max_length=10, choices=HistoryKind.choices)
    file_name = models.CharField(max_length=200)
    file_sha256 = models.BinaryField(max_length=32)
    mapping_sha256 = models.BinaryField(max_length=32)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    line_count = models.BigIntegerField(default=0)
    kept_count = models.BigIntegerField(default=0, help_text="Events or purchases that are new")
    known_count = models.BigIntegerField(default=0, help_text="Those that were there already")
    left_out_count = models.BigIntegerField(default=0, help_text="By the mapping's own word")
    refused_count = models.BigIntegerField(default=0, help_text="Lines that could not be read")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["file_sha256", "mapping_sha256"], name="analytics_history_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.file_name}"


class HistoryPart(models.Model):
    """So many lines of a file of events, written to the lake's store. The manifest has them at the end."""

    id = models.BigAutoField(primary_key=True)
    history_import = models.ForeignKey(
        HistoryImport, models.CASCADE, related_name="parts", db_index=False
    )
    number = models.IntegerField()
    files = models.JSONField(help_text="What the manifest will say of each file")
    line_count = models.IntegerField()
    kept_count = models.IntegerField()
    known_count = models.IntegerField()
    left_out_count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["history_import", "number"], name="analytics_historypart_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.history_import_id} {self.number}"


class RefusedLine(models.Model):
    """A line of the past that could not be read, and why. It harms nothing around it."""

    id = models.BigAutoField(primary_key=True)
    history_import = models.ForeignKey(HistoryImport, models.CASCADE, related_name="refused_lines")
    line = models.BigIntegerField(help_text="From 1; of Parquet, the row")
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)

    def __str__(self) -> str:
        return f"{self.code} in line {self.line}"
