"""The inbox of events, the lake's manifest, what was made of them, and what was found wrong in them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from config.ids import uuid7
from config.table_files import TableFormat
from viewers.models import SOURCE_CHARACTERS, ApiKey, Environment


class Flush(models.Model):
    """One drain of the inbox into the lake. Its batches are in the lake once `finished_at` is set.

    Whoever holds the lease writes the files. When it lapses another takes the same flush over and
    writes the same rows under other names, so a crash costs time and nothing else. A day after it is
    done it is deleted with its batches; its files stay.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    claimed_at = models.DateTimeField()
    arrived_at = models.DateTimeField(
        db_default=Now(),
        help_text="The same by the database's clock: what exports of events are continued by",
    )
    leased_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    event_count = models.IntegerField(default=0, help_text="Events written to the lake")
    duplicate_count = models.IntegerField(
        default=0, help_text="Events left out because the same flush has them already"
    )
    refused_count = models.IntegerField(
        default=0, help_text="Accepted events that could not be read any more, now in quarantine"
    )

    class Meta:
        verbose_name_plural = "flushes"
        indexes = [
            models.Index(
                fields=["leased_until"], name="flush_unfinished", condition=Q(finished_at=None)
            ),
            models.Index(
                fields=["finished_at"], name="flush_finished", condition=~Q(finished_at=None)
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class EventBatch(models.Model):
    """One batch as a client sent it, committed before it was acknowledged.

    `payload` is the body, deflated. The viewer is an id and no foreign key: events outlive people.
    """

    id = models.BigAutoField(primary_key=True)
    viewer_id = models.UUIDField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    batch_id = models.UUIDField(help_text="Made by the client; unique for its viewer")
    content_sha256 = models.BinaryField(
        max_length=32,
        help_text="Of all that the client sent but `sent_at`, which differs from try to try",
    )
    sent_at = models.DateTimeField(help_text="By the client's clock")
    received_at = models.DateTimeField()
    payload = models.BinaryField()
    event_count = models.IntegerField(help_text="Events in the batch, quarantined ones included")
    refusals = models.JSONField(
        default=list, help_text="[position, code, detail] of each quarantined event"
    )
    flush = models.ForeignKey(
        Flush, models.PROTECT, null=True, related_name="batches", db_index=False
    )

    class Meta:
        verbose_name_plural = "event batches"
        constraints = [
            models.UniqueConstraint(fields=["viewer_id", "batch_id"], name="analytics_batch_once")
        ]
        indexes = [
            models.Index(fields=["id"], name="batch_waiting", condition=Q(flush=None)),
            models.Index(fields=["flush"], name="batch_of_flush", condition=~Q(flush=None)),
        ]

    def __str__(self) -> str:
        return str(self.batch_id)


class QuarantinedEvent(models.Model):
    """An event that was not accepted, with the reason. It harms nothing around it."""

    id = models.BigAutoField(primary_key=True)
    viewer_id = models.UUIDField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    batch_id = models.UUIDField()
    position = models.IntegerField(help_text="Its place in the batch, from 0")
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=300, blank=True)
    raw = models.BinaryField(help_text="As it was sent, cut at 8 KB")
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["received_at"], name="quarantine_by_time"),
            models.Index(fields=["viewer_id"], name="quarantine_by_viewer"),
            models.Index(fields=["batch_id"], name="quarantine_by_batch"),
        ]

    def __str__(self) -> str:
        return f"{self.code} in {self.batch_id}"


class LakeFile(models.Model):
    """The manifest: a file is part of the lake if and only if it has a row here, not retired."""

    id = models.BigAutoField(primary_key=True)
    flush = models.ForeignKey(
        Flush,
        models.SET_NULL,
        null=True,
        related_name="files",
        help_text="What wrote it, for a day; none if it was merged from others",
    )
    dataset = models.CharField(
        max_length=30, db_default="events", default="events", help_text="What its rows are"
    )
    columns_version = models.PositiveSmallIntegerField(
        db_default=1, default=1, help_text="What was added to the columns later is null in it"
    )
    path = models.CharField(max_length=200, unique=True)
    day = models.DateField(help_text="UTC day of the rows inside")
    row_count = models.IntegerField()
    size_bytes = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    first_event_id = models.UUIDField()
    last_event_id = models.UUIDField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(
        null=True, help_text="When another file took its events over; it is deleted an hour later"
    )
    compared_at = models.DateTimeField(
        null=True, help_text="When its events were compared with those of every earlier file"
    )

    class Meta:
        indexes = [
            models.Index(fields=["day"], name="lakefile_by_day"),
            models.Index(
                fields=["retired_at"], name="lakefile_retired", condition=~Q(retired_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.path


class RepeatedEvent(models.Model):
    """An event of a file that is not counted, since another file has it from an earlier moment."""

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(
        LakeFile, models.PROTECT, related_name="repeated_events", db_index=False
    )
    event_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "event_id"], name="analytics_repeat_once")
        ]

    def __str__(self) -> str:
        return str(self.event_id)


class FactExport(models.Model):
    """How far the facts of a dataset are in the lake: all that transactions before `horizon` committed.

    Transactions are counted by a cluster. In another one, as after a restore, the count begins anew, and
    so does the export.
    """

    dataset = models.CharField(max_length=30, primary_key=True)
    cluster = models.BigIntegerField(help_text="PostgreSQL's own name of the cluster")
    horizon = models.BigIntegerField(help_text="The first transaction that may be missing")
    first_id = models.UUIDField(help_text="No row that is missing has an earlier id")
    row_count = models.BigIntegerField(default=0)
    exported_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.dataset


class LakeChore(models.Model):
    """When something that the lake needs now and then was last done."""

    name = models.CharField(max_length=30, primary_key=True)
    done_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ErasedViewer(models.Model):
    """A viewer of whom nothing in lake and inbox speaks any more. What their events are under now is
    written nowhere.
    """

    viewer_id = models.UUIDField(primary_key=True)
    file_count = models.IntegerField(help_text="Files of the lake that were written anew")
    erased_at = models.DateTimeField(help_text="The files that were replaced go an hour later")

    def __str__(self) -> str:
        return str(self.viewer_id)


class RankingSnapshot(models.Model):
    """A ranking as it was published: the very bytes, never changed. A correction is a new row."""

    id = models.BigAutoField(primary_key=True)
    definition = models.CharField(max_length=40)
    horizon_hours = models.IntegerField()
    watermark = models.DateTimeField()
    basis = models.CharField(max_length=200, help_text="The last file and money it was made from")
    created_at = models.DateTimeField()
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["definition", "horizon_hours", "watermark"],
                name="analytics_ranking_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.horizon_hours} h at {self.watermark:%Y-%m-%d %H:%M}"


class AlarmScope(models.TextChoices):
    """What rewards were had by, or where."""

    VIEWER = "viewer", "A viewer"
    DEVICE = "device", "A device"
    ADDRESS = "address", "A block of addresses"
    PLACEMENT = "placement", "A placement"
    NETWORK = "network", "A network"


class AdAlarm(models.Model):
    """On a day too few of the ads that were rewarded had been shown, by the app's word.

    `subject` names the viewer, placement or network; of a device or an address block it is a hash. Whoever
    looks says so; when more is found of the day, the alarm rings again.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField(help_text="In the reporting time zone")
    scope = models.CharField(max_length=10, choices=AlarmScope.choices)
    subject = models.CharField(max_length=64)
    rewards = models.IntegerField()
    shown = models.IntegerField()
    requested = models.IntegerField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "scope", "subject"], name="analytics_adalarm_once"
            )
        ]
        indexes = [
            models.Index(fields=["day"], name="adalarm_unseen", condition=Q(seen_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.subject} on {self.day}"


class FraudScan(models.Model):
    """A look through the lake's last days for what nobody watched."""

    id = models.BigAutoField(primary_key=True)
    watermark = models.DateTimeField()
    scanned_at = models.DateTimeField()
    flags_count = models.IntegerField(help_text="New flags")
    alarms_count = models.IntegerField(help_text="New alarms")

    def __str__(self) -> str:
        return f"{self.scanned_at:%Y-%m-%d %H:%M}"


class ChangedHour(models.Model):
    """An hour of which a file that was published has events. Rows go once its rollups are due again."""

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField(help_text="By corrected client time, in UTC")
    is_late = models.BooleanField(
        help_text="All of these events came after the hour was closed for good"
    )

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}"


class PostingsRead(models.Model):
    """Up to which moment of real time the hours that money was posted for have been made due. One row."""

    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.read_until:%Y-%m-%d %H:%M:%S}"


class FillState(models.TextChoices):
    """How far an hour of a rollup is filled."""

    WAITING = "waiting"  # not filled yet, or only up to a moment within it
    FILLED = "filled"
    REOPENED = "reopened"  # filled, but what it was counted from has changed since


class RollupHour(models.Model):
    """One metric in one hour of UTC: how far it is filled, up to when, and by which definition.

    It is filled when `due_at` has come, under a lease. Whatever changes what it is counted from adds one to
    `marks`: who has begun to count before that finds the number changed, and leaves the hour due.
    """

    id = models.BigAutoField(primary_key=True)
    metric = models.CharField(max_length=40)
    hour = models.DateTimeField(help_text="Its beginning, in UTC")
    state = models.CharField(max_length=10, choices=FillState.choices, default=FillState.WAITING)
    marks = models.BigIntegerField(default=0, help_text="How often what it is counted from changed")
    due_at = models.DateTimeField(null=True, help_text="When it is to be filled; never if empty")
    leased_until = models.DateTimeField(null=True, help_text="Somebody fills it until then")
    definition = models.CharField(
        max_length=60, blank=True, help_text="The version, and the zone of its days if it has any"
    )
    watermark = models.DateTimeField(
        null=True, help_text="What it was filled from was complete up to then"
    )
    filled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["metric", "hour"], name="analytics_rolluphour_once")
        ]
        indexes = [
            models.Index(
                fields=["metric", "-hour"], name="rolluphour_due", condition=~Q(due_at=None)
            ),
            models.Index(fields=["metric", "definition"], name="rolluphour_by_definition"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.hour:%Y-%m-%d %H}"


class RollupValue(models.Model):
    """What a metric came to in a quarter of an hour, with these dimensions. What is missing is 0."""

    id = models.BigAutoField(primary_key=True)
    hour = models.ForeignKey(RollupHour, models.CASCADE, related_name="values", db_index=False)
    starts_at = models.DateTimeField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    dimensions = models.JSONField(default=dict)
    value = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "starts_at", "environment", "dimensions"],
                name="analytics_rollupvalue_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.value}"


class RollupCheck(models.Model):
    """One comparison of all rollups of money with the ledger."""

    id = models.BigAutoField(primary_key=True)
    checked_at = models.DateTimeField()
    first_day = models.DateField(null=True, help_text="Local days that are filled to their end")
    last_day = models.DateField(null=True)
    figure_count = models.IntegerField()
    difference_count = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["checked_at"], name="rollupcheck_by_time")]

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d %H:%M}"


class RollupDifference(models.Model):
    """A day of a rollup that is not what the ledger says. Its hours are due again when it is found."""

    id = models.BigAutoField(primary_key=True)
    metric = models.CharField(max_length=40)
    day = models.DateField(help_text="Of the reporting zone")
    dimension = models.CharField(max_length=80, blank=True, help_text="What of the metric it is")
    rollup_value = models.BigIntegerField()
    ledger_value = models.BigIntegerField()
    found_at = models.DateTimeField()
    is_confirmed = models.BooleanField(
        default=False, help_text="It was there again after the day was filled anew: an alarm"
    )
    resolved_at = models.DateTimeField(null=True, help_text="When both were found to be equal")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "day", "dimension"],
                name="analytics_rollupdifference_open_once",
                condition=Q(resolved_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.day}"


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


class HistoryKind(models.TextChoices):
    """What a file of the past tells of."""

    EVENTS = "events", "Events"
    PURCHASES = "purchases", "Purchases"


class HistoryImport(models.Model):
    """A file of another system's past, read by one mapping. What it tells counts once `finished_at` is set.

    Its id is the batch of every event that it brought: rows of the lake name it however files are merged.
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
