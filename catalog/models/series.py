"""A series and where it stands between draft and withdrawn."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from catalog.models.media import MediaAsset
from catalog.models.provenance import UNLABELLED, Provenance
from config.ids import uuid7


class SeriesQuerySet(models.QuerySet["Series"]):
    def visible(self) -> Self:
        """What anyone may find: published, and nothing else."""
        return self.filter(state=Series.State.PUBLISHED)


class SeriesManager(models.Manager.from_queryset(SeriesQuerySet)):  # type: ignore[misc]
    """Leaves the search document in the database: it is long, and only SQL reads it."""

    def get_queryset(self) -> SeriesQuerySet:
        queryset: SeriesQuerySet = super().get_queryset().defer("search")
        return queryset


class Series(Provenance):
    """A title. `external_id` is the pipeline's name for it and never changes."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        PUBLISHED = "published", "Published"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class AccessMode(models.TextChoices):
        """What opens the episodes that are not free. A subscription opens them in any of these."""

        PAID = "paid", "Coins, and no ads"
        AD = "ad", "Ads, and no coins"
        HYBRID = "hybrid", "Coins or ads"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    publish_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="First publication.")
    is_held = models.BooleanField(
        default=False,
        help_text="Withdrawn by an operator: only an operator brings it back, never a push.",
    )
    access_mode = models.CharField(
        max_length=10,
        choices=AccessMode,
        default=AccessMode.HYBRID,
        db_default=AccessMode.HYBRID,
        help_text="What opens the episodes that are not free. Pushes leave it as it is.",
    )
    original_locale = models.CharField(max_length=20)
    genre = models.CharField(max_length=60, blank=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    release_year = models.SmallIntegerField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True)
    studio = models.CharField(max_length=200, blank=True)
    poster = models.ForeignKey(
        MediaAsset, models.PROTECT, null=True, blank=True, related_name="poster_of"
    )
    numbering = models.PositiveIntegerField(
        default=1, help_text="Goes up when an episode gets another number: prices go by number."
    )
    search = SearchVectorField(default="", editable=False)
    content_hash = models.BinaryField(default=b"", help_text="SHA-256 of the last push applied.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    #: Set by the queries of `catalog.browsing`.
    episode_count: int

    objects = SeriesManager()

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                fields=["external_id"], name="catalog_series_external_id_unique"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "withdrawn"]) | ~UNLABELLED,
                name="catalog_series_ai_is_labelled",
                violation_error_message="A series AI had a part in needs a content label.",
            ),
            models.CheckConstraint(
                condition=~Q(state="scheduled") | Q(publish_at__isnull=False),
                name="catalog_series_schedule_has_moment",
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | Q(published_at__isnull=False),
                name="catalog_series_published_has_moment",
            ),
            models.CheckConstraint(
                condition=Q(is_held=False) | Q(state="withdrawn"),
                name="catalog_series_held_is_withdrawn",
            ),
            models.CheckConstraint(
                condition=Q(access_mode__in=["paid", "ad", "hybrid"]),
                name="catalog_series_access_mode_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-published_at", "-id"],
                condition=Q(state="published"),
                name="catalog_series_newest",
            ),
            models.Index(
                fields=["genre", "-published_at", "-id"],
                condition=Q(state="published"),
                name="catalog_series_genre_newest",
            ),
            models.Index(
                fields=["publish_at"], condition=Q(state="scheduled"), name="catalog_series_due"
            ),
            GinIndex(fields=["search"], name="catalog_series_search"),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def first_published_at(self) -> datetime:
        """Of a series that is published, which the database lets none be without."""
        if self.published_at is None:
            raise ValueError(f"series {self.id} was never published")
        return self.published_at
