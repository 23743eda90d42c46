"""Episodes, the versions made of each, and the beats inside a version."""

from django.db import models
from django.db.models import Case, F, Q, When

from catalog.models.media import MediaAsset
from catalog.models.provenance import Provenance
from catalog.models.series import Series
from config.ids import uuid7


class Episode(models.Model):
    """A place in a series that viewers unlock. Never deleted, since they may own it."""

    class State(models.TextChoices):
        PUBLISHED = "published", "Published"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="episodes")
    external_id = models.CharField(max_length=200)
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.PUBLISHED)
    #: The number while published: a withdrawn episode keeps its own but gives up its place.
    place = models.GeneratedField(
        expression=Case(When(state="published", then=F("number")), default=None),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )
    current_version = models.ForeignKey(
        "EpisodeVersion", models.PROTECT, null=True, blank=True, related_name="current_of"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Deferred, so that one transaction may exchange the numbers of two episodes.
            models.UniqueConstraint(
                fields=["series", "place"],
                name="catalog_episode_place_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.UniqueConstraint(
                fields=["series", "external_id"], name="catalog_episode_external_id_unique"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="catalog_episode_number_from_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}. {self.external_id}"


class EpisodeVersion(Provenance):
    """One cut of an episode. Immutable: a new cut is a new version under a new external id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    episode = models.ForeignKey(Episode, models.PROTECT, related_name="versions")
    external_id = models.CharField(max_length=200)
    locale = models.CharField(max_length=20)
    media = models.ForeignKey(MediaAsset, models.PROTECT, related_name="versions")
    duration_ms = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    content_hash = models.BinaryField(
        default=b"", help_text="SHA-256 of the version as it was pushed."
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["episode", "external_id"], name="catalog_version_external_id_unique"
            ),
            models.CheckConstraint(
                condition=Q(duration_ms__gt=0, width__gt=0, height__gt=0),
                name="catalog_version_has_extent",
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class Beat(models.Model):
    """A stretch of a version that the story treats as one; positions count from 0."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(EpisodeVersion, models.CASCADE, related_name="beats")
    position = models.PositiveSmallIntegerField()
    start_ms = models.PositiveIntegerField()
    end_ms = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    emotion = models.CharField(max_length=40, blank=True)
    hook = models.CharField(max_length=200, blank=True)
    prompt_ref = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "position"], name="catalog_beat_position_unique"
            ),
            models.CheckConstraint(
                condition=Q(end_ms__gt=F("start_ms")), name="catalog_beat_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.start_ms}-{self.end_ms} ms"
