"""What can be watched: series, their episodes, versions and beats, texts by locale, media.

And what was drawn for the feed, and where viewers stand.
"""

from catalog.models.access import AccessChange
from catalog.models.episodes import Beat, Episode, EpisodeVersion
from catalog.models.feed import FeedDecision, FeedTable
from catalog.models.locales import EpisodeText, SeriesText
from catalog.models.media import MediaAsset
from catalog.models.provenance import Provenance, ProvenanceKind
from catalog.models.series import Series
from catalog.models.watching import Favorite, WatchPosition

__all__ = [
    "AccessChange",
    "Beat",
    "Episode",
    "EpisodeText",
    "EpisodeVersion",
    "Favorite",
    "FeedDecision",
    "FeedTable",
    "MediaAsset",
    "Provenance",
    "ProvenanceKind",
    "Series",
    "SeriesText",
    "WatchPosition",
]
