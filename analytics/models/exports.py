"""Files that keys and operators asked for."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from config.ids import uuid7
from config.table_files import TableFormat
from viewers.models import ApiKey


class ExportState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired", "expired: its file is deleted"


class Export(models.Model):
    """A file that a key or an operator asked for: what of, how far it is, and where it is kept.

    Whoever makes it is its `holder` until the lease lapses. Then another takes it over under a name of
    its own, and whoever held it before ends nothing any more: so one file comes of it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, null=True, related_name="+", db_index=False, help_text="Who asked"
    )
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    name = models.CharField(max_length=40, help_text="Of the report or of the data set")
    question = models.JSONField(help_text="What was asked of it")
    file_format = models.CharField(
        max_length=10, choices=[(kind.value, kind.value) for kind in TableFormat]
    )
    state = models.CharField(
        max_length=10, choices=ExportState.choices, default=ExportState.WAITING
    )
    holder = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    percent = models.IntegerField(default=0)
    row_count = models.BigIntegerField(default=0, help_text="Rows written so far")
    size_bytes = models.BigIntegerField(null=True)
    path = models.CharField(max_length=200, blank=True)
    next_cursor = models.CharField(max_length=200, blank=True)
    failure = models.CharField(max_length=40, blank=True)
    failure_detail = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(api_key__isnull=False, operator__isnull=True)
                | Q(api_key__isnull=True, operator__isnull=False),
                name="analytics_export_of_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state=ExportState.DONE)
                | ~Q(path="") & Q(size_bytes__isnull=False, expires_at__isnull=False),
                name="analytics_export_done_has_a_file",
            ),
            models.CheckConstraint(
                condition=~Q(state=ExportState.RUNNING)
                | Q(holder__isnull=False, leased_until__isnull=False),
                name="analytics_export_runs_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["api_key", "-id"], name="export_of_key"),
            models.Index(fields=["operator", "-id"], name="export_of_operator"),
            models.Index(
                fields=["id"],
                name="export_to_do",
                condition=Q(state__in=[ExportState.WAITING, ExportState.RUNNING]),
            ),
            models.Index(
                fields=["expires_at"], name="export_expiring", condition=Q(state=ExportState.DONE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} as {self.file_format}"


class ExportAct(models.TextChoices):
    ASKED = "asked"
    DOWNLOADED = "downloaded"
    CANCELLED = "cancelled"


class ExportRecord(models.Model):
    """Who did what to an export, and when: added, never changed.

    `address_hash` is a keyed hash of the address that it was called from: the same address has the same,
    and none can be read from it.
    """

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(Export, models.PROTECT, related_name="records")
    act = models.CharField(max_length=10, choices=ExportAct.choices)
    at = models.DateTimeField()
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, related_name="+", db_index=False)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    row_count = models.BigIntegerField()
    address_hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.act} at {self.at:%Y-%m-%d %H:%M}"
