"""The money ladder of a stretch of time: from what viewers paid to what titles earned.

Every rung is a sum of rows that never change, so the ladder of a past day is the same whenever it is
read, unless money was posted into that day since.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.ledger.days import queries


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Micros of the reporting currency in one environment, in [start, end).

    `fee_micros` is what stores keep by their terms. `refunds_micros` is the net of what went back,
    on the day that it did. `coins_micros` is less than nothing where more was taken back than spent.
    `passes_micros` is earned as the time of passes goes by, `ended_micros` the net of those whose time ended.
    `spent_micros` is what coins earned for titles as the lots have it, `by_title` and
    `unattributed_micros` as unlocks and ads have it.
    """

    gross_micros: int
    tax_micros: int
    fee_micros: int
    refunds_micros: int
    coins_micros: int
    breakage_micros: int
    difference_micros: int
    passes_micros: int
    ads_micros: int
    ended_micros: int
    spent_micros: int
    deferred_before_micros: int
    deferred_micros: int
    by_title: Mapping[UUID, int]
    unattributed_micros: int

    @property
    def net_micros(self) -> int:
        """Net billings: what is ours of what viewers paid."""
        return self.gross_micros - self.tax_micros - self.fee_micros - self.refunds_micros

    @property
    def earned_micros(self) -> int:
        """Recognised out of what viewers paid: all revenue but that of ads."""
        coins = self.coins_micros + self.breakage_micros + self.difference_micros
        return coins + self.passes_micros

    @property
    def recognised_micros(self) -> int:
        """Revenue: coins when spent, bought coins that lapsed, what refunds leave over, passes, ads."""
        return self.earned_micros + self.ads_micros

    @property
    def titles_micros(self) -> int:
        """What titles earned, all together."""
        return sum(self.by_title.values())


def read(*, environment: str, start: datetime, end: datetime) -> Ladder:
    """The ladder of what was posted in [start, end), all of it as of one moment."""
    rungs, by_title = Counter[str](), Counter[UUID | None]()
    for rung, series_id, micros in queries.window(
        "ladder", environment=environment, start=start, end=end
    ):
        rungs[rung] += micros
        if rung in {"coins", "attribution", "periods", "ads"}:
            by_title[series_id] += micros
    unattributed = by_title.pop(None, 0)
    return Ladder(
        gross_micros=rungs["gross"],
        tax_micros=rungs["tax"],
        fee_micros=rungs["fee"],
        refunds_micros=rungs["refunds"],
        coins_micros=rungs["coins"],
        breakage_micros=rungs["breakage"],
        difference_micros=rungs["difference"],
        passes_micros=rungs["passes"],
        ads_micros=rungs["ads"],
        ended_micros=rungs["ended"],
        spent_micros=rungs["spent"],
        deferred_before_micros=rungs["deferred_before"],
        deferred_micros=rungs["deferred"],
        by_title={series: micros for series, micros in by_title.items() if series is not None},
        unattributed_micros=unattributed,
    )


def violations(ladder: Ladder) -> Iterator[str]:
    """The invariants that do not hold within the window, as sentences."""
    attributed = ladder.titles_micros + ladder.unattributed_micros
    earned = ladder.spent_micros + ladder.ended_micros + ladder.ads_micros
    if attributed != earned:
        yield (
            f"Titles and unattributed are {attributed} micros, but coins spent, passes that ended and"
            f" ads watched are {earned}."
        )
    expected = ladder.deferred_before_micros + ladder.net_micros - ladder.earned_micros
    if ladder.deferred_micros != expected:
        yield (
            f"Deferred revenue is {ladder.deferred_micros} micros by lots and covers, but {expected} by what"
            " was there before, net billings and what was recognised."
        )
