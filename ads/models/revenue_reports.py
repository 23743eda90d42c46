"""What networks report of a day when it is over, in as many versions as they give of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from ads.models.placements import Network
from config.ids import uuid7


class ReportOrigin(models.TextChoices):
    UPLOADED = "uploaded", "Brought by an operator"
    COMMAND = "command", "Brought by command"
    PULLED = "pulled", "Fetched from the network"


class RevenueReport(models.Model):
    """A file or answer in which a network reports its days. One with a line that cannot be read counts for
    nothing: what is left of it would be too little, and nobody would see that."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network = models.CharField(max_length=20, choices=Network.choices)
    scope = models.SlugField(
        max_length=50, blank=True, help_text="Which of several reports of a day, as an app's name"
    )
    origin = models.CharField(max_length=10, choices=ReportOrigin.choices)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    line_count = models.PositiveIntegerField(help_text="Lines that were read")
    new_day_count = models.PositiveIntegerField(help_text="Days of which it was a new version")
    same_day_count = models.PositiveIntegerField(help_text="Days that it told as they were known")
    refusals = models.JSONField(default=list, help_text="Of lines: number, and what is wrong")
    brought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(refusals=[]) | Q(new_day_count=0, same_day_count=0),
                name="ads_revenuereport_whole",
            )
        ]
        indexes = [
            models.Index(fields=["network", "-received_at"], name="revenuereport_by_network")
        ]

    def __str__(self) -> str:
        return self.name


class ReportedDay(models.Model):
    """One version of what a network reports of one of its own days. The latest of each scope counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    report = models.ForeignKey(RevenueReport, models.PROTECT, related_name="days")
    network = models.CharField(max_length=20, choices=Network.choices)
    scope = models.SlugField(max_length=50, blank=True)
    day = models.DateField(help_text="In the network's time zone")
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of its lines")
    revenue_micros = models.BigIntegerField(help_text="Reporting currency")
    impression_count = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["network", "scope", "day", "version"], name="ads_reportedday_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.day} #{self.version}"


class ReportLine(models.Model):
    """What an ad unit earned in a country on a reported day. No ad unit or country: the report names none.

    `told_micros` is of `currency`; `revenue_micros` is that in the reporting currency, at the day's rate.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reported_day = models.ForeignKey(ReportedDay, models.PROTECT, related_name="lines")
    line_number = models.PositiveIntegerField(help_text="The first of the file that is in it")
    ad_unit_id = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2, blank=True)
    impression_count = models.BigIntegerField()
    told_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    revenue_micros = models.BigIntegerField()
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10)
    exchange_source = models.CharField(max_length=50)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reported_day", "ad_unit_id", "country", "currency"],
                name="ads_reportline_once",
            ),
            models.CheckConstraint(
                condition=Q(revenue_micros__gte=0, told_micros__gte=0, impression_count__gte=0),
                name="ads_reportline_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ad_unit_id} {self.country}"


class ReportPull(models.Model):
    """How fetching a network's reports stands."""

    network = models.CharField(max_length=20, choices=Network.choices, primary_key=True)
    attempted_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.network
