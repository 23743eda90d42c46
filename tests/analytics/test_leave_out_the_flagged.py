"""What a bot plays changes nothing, once it is flagged; and its money is no title's."""

from collections.abc import Sequence
from uuid import UUID

from analytics.ranking import ranking
from analytics.ranking.ranking import Floors, Horizon, RankedTitle
from analytics.reports import revenue
from analytics.reports.sources import Source
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, played, utc
from viewers.flags import Flagged

ONE, TWO = (str(UUID(int=number)) for number in (1, 2))
BOT, SESSION = UUID(int=666), UUID(int=667)
START = utc("2026-03-01 10:00")
COMPLETIONS = 1000


def _titles() -> list[Row]:
    return [
        {
            "series_id": series,
            "external_id": f"title-{series[-1]}",
            "genre": "revenge",
            "locale": "en",
            "is_published": True,
        }
        for series in (ONE, TWO)
    ]


def _unlock(viewer: str, micros: int, series: str) -> Row:
    return {
        "unlock_id": f"{viewer}{series}",
        "means": "coins",
        "viewer_id": viewer,
        "series_id": series,
        "episode_id": "e",
        "coins": 60,
        "value_micros": micros,
        "created_at": START + HOUR,
    }


def _watched(viewer: str, series: str, session: str = "") -> Row:
    return played(
        viewer, START + SECOND, series=series, session=session or f"{viewer}/{series}", to_ms=1000
    )


def _people() -> tuple[list[Row], list[Row]]:
    """Viewers of two titles, and what some of them spent."""
    events = [_watched(f"viewer-{n}", (ONE, TWO)[n % 2]) for n in range(60)]
    unlocks = [_unlock(f"viewer-{n}", 400_000 + n, (ONE, TWO)[n % 2]) for n in range(0, 60, 5)]
    return events, unlocks


def _completions() -> list[Row]:
    """A bot plays a title to its end a thousand times, each in a playback of its own."""
    return [_watched(str(BOT), TWO, f"{n}") for n in range(COMPLETIONS)] + [
        _watched(str(BOT), f"other-{n}") for n in range(COMPLETIONS)
    ]


def _ranked(source: Source) -> Sequence[RankedTitle]:
    ranking.prepare(source=source)
    standing = ranking.stand(source=source, horizon=Horizon.DAY, list_prices={})
    floors = Floors(viewers=0, payers=0)
    table = ranking.table(standing=standing, source=source, currency="USD", floors=floors)
    assert source.flagged.sentence() in table.population
    return table.titles


def test_a_thousand_completions_of_a_flagged_bot_change_the_ranking_by_nothing() -> None:
    events, unlocks = _people()
    tables = {"unlocks": unlocks, "titles": _titles()}
    later = START + 2 * DAY
    with lake(events, watermark=later, tables=tables) as source:
        honest = _ranked(source)
    with lake([*events, *_completions()], watermark=later, tables=tables) as source:
        assert _ranked(source) != honest

    flagged = Flagged(viewers=frozenset({BOT}))
    with lake(
        [*events, *_completions()], watermark=later, tables=tables, flagged=flagged
    ) as source:
        assert _ranked(source) == honest
        assert source.flagged.sentence().startswith("1 flagged viewers and 0 flagged")


def test_of_a_flagged_playback_only_that_is_left_out() -> None:
    events = [_watched("a", ONE, str(SESSION)), _watched("a", TWO)]
    flagged = Flagged(sessions=frozenset({SESSION}))

    with lake(events, watermark=START + DAY, flagged=flagged) as source:
        source.rows("starts", watermark=source.watermark)
        started = source.connection.execute("SELECT series_id FROM starts").fetchall()

    assert started == [(TWO,)]


def test_what_the_flagged_spent_is_no_titles_and_still_in_the_total() -> None:
    tables = {
        "unlocks": [_unlock("a", 400, ONE)],
        "unlocks_left_out": [_unlock(str(BOT), 9000, ONE)],
        "titles": _titles(),
    }

    with lake([], watermark=START + DAY, tables=tables) as source:
        report = revenue.by_title(source=source, currency="USD")

    (title,) = report.titles
    assert (title.series_id, title.total_micros, title.coin_unlocks) == (UUID(ONE), 400, 1)
    assert (report.unattributed.total_micros, report.total.total_micros) == (9000, 9400)
