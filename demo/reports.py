"""What analysts and the generation pipeline read back, as far as this client reads it."""

from datetime import date
from typing import TypeVar

import msgspec

from demo.transport import Transport

Answer = TypeVar("Answer")


class Cohort(msgspec.Struct, frozen=True):
    starts_on: date
    viewers: int
    active: list[int | None]


class Retention(msgspec.Struct, frozen=True):
    cohorts: list[Cohort]


class FunnelCounts(msgspec.Struct, frozen=True):
    starters: int
    reached: int
    unlocked_by_coins: int
    unlocked_by_ad: int
    watched: int
    topped_up: int


class Funnel(msgspec.Struct, frozen=True):
    total: FunnelCounts


class Revenue(msgspec.Struct, frozen=True):
    coin_unlocks: int
    ad_unlocks: int
    coins_spent: int
    coin_value_micros: int
    ad_revenue_micros: int
    total_micros: int


class TitleRevenue(msgspec.Struct, frozen=True):
    total: Revenue


class RankedTitle(msgspec.Struct, frozen=True):
    external_id: str
    starts: int | None
    converters: int | None
    mean_micros: int | None
    low_micros: int | None
    high_micros: int | None
    revenue_micros: int | None


class Ranking(msgspec.Struct, frozen=True):
    titles: list[RankedTitle]

    def of(self, external_id: str) -> RankedTitle | None:
        """A title's row, None if it has none."""
        return next((title for title in self.titles if title.external_id == external_id), None)


class Beat(msgspec.Struct, frozen=True):
    position: int
    at_risk: int | None
    exits: int | None


class VersionBeats(msgspec.Struct, frozen=True):
    episode_number: int
    beats: list[Beat]


class BeatsFeedback(msgspec.Struct, frozen=True):
    versions: list[VersionBeats]


class ReportsClient:
    """Reads with an API key of the scopes `analytics:read` and `pipeline:read`. Raises Refused."""

    def __init__(self, transport: Transport, *, api_key: str) -> None:
        self._transport = transport
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def retention(self, *, by: str = "day", horizon: int) -> Retention:
        """Cohorts of viewers, and how many came back at each offset."""
        return self._read("/v1/analytics/retention", Retention, by=by, horizon=horizon)

    def funnel(self, series_id: str) -> FunnelCounts:
        """How far the starters of a series came."""
        return self._read("/v1/analytics/funnels/paywall", Funnel, series_id=series_id).total

    def revenue(self, series_id: str) -> Revenue:
        """What a series earned, by the ledger."""
        return self._read("/v1/analytics/revenue", TitleRevenue, series_id=series_id).total

    def ranking(self, *, horizon: str) -> Ranking:
        """The last ranking that was published."""
        return self._read("/v1/pipeline/rankings", Ranking, horizon=horizon)

    def beats(self, external_id: str) -> BeatsFeedback:
        """How viewers left each beat of a series."""
        return self._read(f"/v1/pipeline/series/{external_id}/beats", BeatsFeedback)

    def _read(self, path: str, shape: type[Answer], **query: str | int) -> Answer:
        response = self._transport.send("GET", path, query=query, headers=self._headers)
        return msgspec.json.decode(response.content, type=shape)
