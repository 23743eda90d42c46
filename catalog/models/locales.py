"""Titles and synopses, one row a locale."""

from django.db import models

from catalog.models.episodes import Episode
from catalog.models.series import Series
from config.ids import uuid7


class Text(models.Model):
    """What a viewer reads about a series or an episode in one locale (BCP 47, as `zh-Hans`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    locale = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    synopsis = models.TextField(blank=True, max_length=2000)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.locale}: {self.title}"


class SeriesText(Text):
    series = models.ForeignKey(Series, models.CASCADE, related_name="texts")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "locale"], name="catalog_series_text_unique")
        ]


class EpisodeText(Text):
    episode = models.ForeignKey(Episode, models.CASCADE, related_name="texts")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["episode", "locale"], name="catalog_episode_text_unique"
            )
        ]
