"""What the feed draws from, and what it drew for whom."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from config.ids import uuid7
from viewers.models import Environment

SHA256_BYTES = 32


class FeedTable(models.Model):
    """One published table: the probability of each series to be drawn first. Never changed."""

    id = models.BigAutoField(primary_key=True)
    version = models.CharField(max_length=100, unique=True)
    series_ids = ArrayField(models.UUIDField())
    probabilities = ArrayField(models.FloatField())
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(series_ids__len=models.F("probabilities__len")),
                name="catalog_feedtable_pairs",
            )
        ]

    def __str__(self) -> str:
        return self.version


class FeedDecision(models.Model):
    """One answer of the feed: what was drawn, and with which probability each.

    `series_ids` and `propensities` belong together, slot by slot from `first_slot` on. A propensity
    is that of the draw itself, given what the slots before it had taken. The viewer is an id and no
    foreign key: a log of decisions outlives people. The application adds rows, and the database lets
    it change or delete none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    viewer_id = models.UUIDField()
    environment = models.CharField(max_length=10, choices=Environment.choices)
    at = models.DateTimeField()
    table_version = models.CharField(
        max_length=100, blank=True, help_text="Empty: there was no table, all were equally likely."
    )
    predecessor_id = models.UUIDField(
        null=True, help_text="The decision it continues, whose series it does not repeat."
    )
    first_slot = models.PositiveIntegerField(default=0)
    candidate_count = models.PositiveIntegerField(help_text="Series that could be drawn.")
    candidates_sha256 = models.BinaryField(
        max_length=SHA256_BYTES, help_text="SHA-256 of their ids, 16 bytes each, in order."
    )
    series_ids = ArrayField(models.UUIDField())
    propensities = ArrayField(models.FloatField())

    class Meta:
        indexes = [
            models.Index(fields=["viewer_id", "-id"], name="catalog_decision_of_viewer"),
            models.Index(fields=["at"], name="catalog_decision_by_time"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(series_ids__len=models.F("propensities__len")),
                name="catalog_decision_pairs",
            ),
            models.CheckConstraint(
                condition=Exact(Length("candidates_sha256"), SHA256_BYTES),
                name="catalog_decision_hash_is_sha256",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
