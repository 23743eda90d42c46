"""What can be watched: series, their episodes, versions and beats, texts by locale, media."""

from catalog.models.episodes import Beat, Episode, EpisodeVersion
from catalog.models.locales import EpisodeText, SeriesText
from catalog.models.media import MediaAsset
from catalog.models.provenance import Provenance, ProvenanceKind
from catalog.models.series import Series

__all__ = [
    "Beat",
    "Episode",
    "EpisodeText",
    "EpisodeVersion",
    "MediaAsset",
    "Provenance",
    "ProvenanceKind",
    "Series",
    "SeriesText",
]
