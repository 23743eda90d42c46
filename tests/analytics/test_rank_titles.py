"""The pipeline reads what a start of each title is worth, and the feed draws by it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analytics.ranking import caps, posterior, privacy, ranking, thompson
from analytics.ranking.posterior import DRAWS, Counts, Draws, Prior
from analytics.ranking.ranking import Floors, Horizon, Ranking, Standing
from catalog import slots
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, played, utc
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.proof import Proof

ONE, TWO, DRAFT = (str(UUID(int=number)) for number in (1, 2, 3))
START = utc("2026-03-01 10:00")
OPEN = Floors(viewers=0, payers=0)


def _titles() -> list[Row]:
    return [
        {
            "series_id": series,
            "external_id": f"title-{series[-1]}",
            "genre": "revenge",
            "locale": "en",
            "is_published": series != DRAFT,
        }
        for series in (ONE, TWO, DRAFT)
    ]


def _start(viewer: str, at: datetime = START, *, series: str = ONE) -> Row:
    return played(
        viewer, at + SECOND, series=series, version=series, session=f"{viewer}/{series}", to_ms=1000
    )


def _unlock(
    viewer: str, at: datetime, micros: int, *, series: str = ONE, means: str = "coins"
) -> Row:
    return {
        "unlock_id": str(uuid4()),
        "means": means,
        "viewer_id": viewer,
        "series_id": series,
        "episode_id": "e",
        "coins": 60,
        "value_micros": micros,
        "playback_session_id": None,
        "position_ms": None,
        "created_at": at,
    }


def _purchase(net_micros: int, coins: int) -> Row:
    return {
        "purchase_id": str(uuid4()),
        "viewer_id": "a",
        "net_micros": net_micros,
        "coins": coins,
        "created_at": START,
    }


@contextmanager
def _standing(
    rows: Sequence[Row],
    unlocks: Sequence[Row],
    *,
    watermark: datetime,
    horizon: Horizon = Horizon.DAY,
    purchases: Sequence[Row] = (),
    prices: dict[str, int] | None = None,
    floors: Floors = OPEN,
) -> Iterator[tuple[Standing, Ranking]]:
    tables = {"unlocks": unlocks, "purchases": purchases, "titles": _titles()}
    with lake(rows, watermark=watermark, tables=tables) as source:
        ranking.prepare(source=source)
        standing = ranking.stand(source=source, horizon=horizon, list_prices=prices or {})
        table = ranking.table(standing=standing, source=source, currency="USD", floors=floors)
        yield standing, table


def _counts(*args: Sequence[Row], **options: object) -> dict[str, tuple[int, int, int, int]]:
    with _standing(*args, **options) as (standing, _):
        return {
            str(title.series_id): (
                title.counts.starts,
                title.counts.converters,
                title.counts.value,
                title.counts.ads,
            )
            for title in standing.titles
        }


@pytest.mark.parametrize("horizon", Horizon)
def test_counts_what_a_start_earned_within_the_horizon(horizon: Horizon) -> None:
    window = timedelta(hours=horizon.hours)
    unlocks = [
        _unlock("a", START, 1),
        _unlock("a", START + window - SECOND, 10, means="ad"),
        _unlock("a", START + window, 100),
        _unlock("b", START, 1000),
    ]

    found = _counts([_start("a")], unlocks, watermark=START + window, horizon=horizon)

    assert found == {ONE: (1, 1, 1, 10), TWO: (0, 0, 0, 0)}


def test_a_start_counts_once_its_window_is_complete() -> None:
    rows = [_start("a"), _start("b", START + HOUR)]

    short, whole = (
        _counts(rows, [], watermark=START + DAY + after)[ONE][0] for after in (0 * HOUR, HOUR)
    )

    assert (short, whole) == (1, 2)


def test_coins_of_no_value_make_no_converter() -> None:
    assert _counts([_start("a")], [_unlock("a", START, 0)], watermark=START + DAY)[ONE][1] == 0


def test_a_starter_counts_for_no_more_than_the_whole_list_price_at_the_dearest_coin() -> None:
    purchases = [_purchase(10_000, 1000), _purchase(2_000, 100)]
    unlocks = [
        _unlock("a", START, 900),
        _unlock("a", START, 900),
        _unlock("a", START, 5, means="ad"),
    ]

    capped = _counts(
        [_start("a")],
        unlocks,
        watermark=START + DAY,
        purchases=purchases,
        prices={ONE: 60},
    )
    free = _counts(
        [_start("a")], unlocks, watermark=START + DAY, purchases=purchases, prices={ONE: 0}
    )

    assert capped[ONE] == (1, 1, 60 * 20, 5)
    assert free[ONE] == (1, 1, 1800, 5)


def test_a_starters_ads_count_for_no_more_than_the_same() -> None:
    """An app that makes up what its ads earned cannot decide a ranking."""
    made_up = [_unlock("a", START, 10**6, means="ad") for _ in range(3)]
    of_b = [_unlock("b", START, 300, means="ad"), _unlock("b", START, -100, means="ad")]

    found = _counts(
        [_start("a"), _start("b")],
        [_unlock("a", START, 70), *made_up, *of_b],
        watermark=START + DAY,
        purchases=[_purchase(2_000, 100)],
        prices={ONE: 60},
    )

    assert found[ONE] == (2, 1, 70, 60 * 20 + 200)


def test_revenue_is_the_ledgers_whoever_started_and_whenever() -> None:
    unlocks = [
        _unlock("a", START, 7),
        _unlock("nobody", START - 9 * DAY, 20, means="ad"),
        _unlock("a", START, 300, series=DRAFT),
        _unlock("a", START + 2 * DAY, 4000),
    ]

    with _standing([], unlocks, watermark=START + DAY) as (_, table):
        revenue = {str(row.series_id): row.revenue_micros for row in table.titles}

    assert revenue == {ONE: 27, TWO: 0, DRAFT: 300}
    assert table.total_revenue_micros == 327


def test_a_title_that_earns_more_a_start_stands_higher_and_is_shown_more() -> None:
    rows = [_start(f"v{n}", series=series) for n in range(300) for series in (ONE, TWO)]
    unlocks = [_unlock(f"v{n}", START + HOUR, 10**6, series=TWO) for n in range(30)]

    with _standing(rows, unlocks, watermark=START + DAY) as (standing, table):
        shares = standing.shares

    assert [str(row.series_id) for row in table.titles] == [TWO, ONE]
    best = table.titles[0]
    assert (best.low_micros or 0) < 100_000 < (best.high_micros or 0)
    assert best.mean_micros == pytest.approx(100_000, rel=0.1)
    assert shares[UUID(TWO)] > 0.9
    assert shares.keys() == {UUID(ONE), UUID(TWO)}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)


def test_the_same_events_and_money_give_the_same_bytes() -> None:
    rows = [_start(f"v{n}") for n in range(60)]
    unlocks = [_unlock(f"v{n}", START + HOUR, 10**6 + n) for n in range(12)]

    bodies = set()
    for order in (1, -1):
        with _standing(rows[::order], unlocks[::order], watermark=START + DAY) as (_, table):
            bodies.add(msgspec.json.encode(table))

    assert len(bodies) == 1


def test_another_watermark_draws_anew() -> None:
    rows = [_start(f"v{n}") for n in range(60)]

    means = []
    for watermark in (START + DAY, START + DAY + SECOND):
        with _standing(rows, [_unlock("v0", START, 10**6)], watermark=watermark) as (_, table):
            means.append(table.titles[0].mean_micros)

    assert means[0] != means[1]


def _crowd(viewers: int, payers: int, *, series: str = ONE) -> tuple[list[Row], list[Row]]:
    rows = [_start(f"v{n}", series=series) for n in range(viewers)]
    return rows, [_unlock(f"v{n}", START + HOUR, 10**6, series=series) for n in range(payers)]


FLOORS = Floors(viewers=50, payers=10)


@pytest.mark.parametrize(
    ("viewers", "payers", "is_told"),
    [(50, 10, (True, True)), (49, 10, (False, False)), (50, 9, (True, False))],
)
def test_figures_of_too_few_people_are_null(
    viewers: int, payers: int, is_told: tuple[bool, bool]
) -> None:
    rows, unlocks = _crowd(viewers, payers)
    rows += [_start("v0", series=TWO), _start("v0", series=DRAFT)]

    with _standing(rows, unlocks, watermark=START + DAY, floors=FLOORS) as (_, table):
        row = next(row for row in table.titles if str(row.series_id) == ONE)

    worth = (row.converters, row.mean_micros, row.median_micros, row.low_micros, row.high_micros)
    assert row.suppressed is (is_told != (True, True))
    assert (row.starts is not None) is is_told[0]
    assert (row.prior_weight is not None) is is_told[0]
    assert {figure is not None for figure in (*worth, row.revenue_micros)} == {is_told[1]}


@pytest.mark.parametrize(("payers", "is_told"), [(10, True), (9, False)])
def test_a_title_nobody_started_is_told_by_its_prior_if_enough_taught_it(
    payers: int, is_told: bool
) -> None:
    rows, unlocks = _crowd(60, payers)

    with _standing(rows, unlocks, watermark=START + DAY, floors=FLOORS) as (_, table):
        unstarted = next(row for row in table.titles if str(row.series_id) == TWO)

    assert unstarted.starts == 0
    assert (unstarted.mean_micros is not None) is is_told


@pytest.mark.parametrize(
    ("sizes", "too_small", "untold", "tells"),
    [
        ([9, 80, 60, 70], {0}, {0, 2}, False),
        ([9, 8, 60], {0, 1}, {0, 1}, False),
        ([90, 80], set(), set(), False),
        ([0, 80, 60], {0}, {0}, False),
        # A 0 is no company, whether it is untold itself or not.
        ([12, 1, 0], {1, 2}, {0, 1, 2}, False),
        ([60, 1, 0], {1}, {0, 1}, False),
        ([9], {0}, {0}, True),
        ([0, 9, 0], {0, 1, 2}, {0, 1, 2}, True),
    ],
)
def test_a_single_untold_row_takes_the_next_smallest_with_it_or_else_the_total(
    sizes: list[int], too_small: set[int], untold: set[int], tells: bool
) -> None:
    assert privacy.untold(sizes, too_small=too_small) == untold
    assert privacy.tells(sizes, untold) is tells


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.one_of(st.just(0), st.integers(0, 120)), max_size=8),
    minimum=st.integers(1, 60),
    tells_zeros=st.booleans(),
)
def test_no_total_less_what_is_told_leaves_a_single_row(
    sizes: list[int], minimum: int, tells_zeros: bool
) -> None:
    small = {
        place for place, size in enumerate(sizes) if size < minimum and (size or not tells_zeros)
    }

    untold = privacy.untold(sizes, too_small=small)

    assert small <= untold
    told = sum(size for place, size in enumerate(sizes) if place not in untold)
    hidden = {sizes[place] for place in untold if sizes[place]}
    assert privacy.tells(sizes, untold) or sum(sizes) - told not in hidden


def test_a_payer_is_not_told_by_the_total_beside_titles_that_nobody_paid_for() -> None:
    rows, unlocks = _crowd(60, 12)
    others, single = _crowd(60, 1, series=TWO)
    unpaid, _ = _crowd(60, 0, series=DRAFT)

    with _standing(
        rows + others + unpaid, unlocks + single, watermark=START + DAY, floors=FLOORS
    ) as (_, table):
        told = sum(row.revenue_micros or 0 for row in table.titles)

    assert table.total_revenue_micros == 13 * 10**6
    assert table.total_revenue_micros - told == 13 * 10**6


@settings(max_examples=100, deadline=None)
@given(titles=st.integers(1, 12), seed=st.integers(0, 2**32))
def test_shares_are_those_of_the_draws_won_and_leave_nobody_out(titles: int, seed: int) -> None:
    draws = np.random.default_rng(seed).gamma(2, 1, (titles, DRAWS))

    found = thompson.probabilities(enumerate(draws))

    wins = np.bincount(draws.argmax(axis=0), minlength=titles) / DRAWS
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert min(found.values()) >= thompson.EXPLORATION / titles
    for place, share in found.items():
        assert share == pytest.approx(
            (1 - thompson.EXPLORATION) * wins[place] + thompson.EXPLORATION / titles
        )


def test_the_feed_draws_each_title_as_often_as_its_share(proof: Proof) -> None:
    draws = np.random.default_rng(proof.seed).gamma(5, [[1], [1.1], [1.2], [0.2]], (4, DRAWS))
    shares = thompson.probabilities((UUID(int=n + 1), row) for n, row in enumerate(draws))
    odds, source = slots.mixed(list(shares), shares), Random(proof.seed)  # noqa: S311

    drawn = Counter(
        slots.draw(odds, count=1, source=source)[0].series_id
        for _ in range(proof.rounds(full=20_000))
    )

    expected = [share * proof.count for share in shares.values()]
    assert stats.chisquare([drawn[title] for title in shares], expected).pvalue > 1e-4
    proof.record("S3", "slots drawn by the ranking's shares, chi-square", violations=0)


def test_nothing_to_show_has_no_shares() -> None:
    assert thompson.probabilities([]) == {}


@settings(max_examples=40, deadline=None)
@given(
    starts=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([ONE, TWO]), st.integers(0, 200)),
        max_size=8,
    ),
    spends=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from([ONE, TWO]),
            st.integers(0, 400),
            st.sampled_from(["coins", "ad"]),
            st.integers(0, 10**7),
        ),
        max_size=10,
    ),
    horizon=st.sampled_from(Horizon),
    hours=st.integers(0, 400),
    price=st.sampled_from([0, 1, 10**5, 10**9]),
)
def test_counts_equal_the_definition_worked_out_by_hand(
    starts: list[tuple[str, str, int]],
    spends: list[tuple[str, str, int, str, int]],
    horizon: Horizon,
    hours: int,
    price: int,
) -> None:
    rows = [_start(viewer, START + hour * HOUR, series=series) for viewer, series, hour in starts]
    unlocks = [
        _unlock(viewer, START + hour * HOUR, micros, series=series, means=means)
        for viewer, series, hour, means, micros in spends
    ]
    watermark = START + hours * HOUR
    window = timedelta(hours=horizon.hours)

    found = _counts(
        rows,
        unlocks,
        watermark=watermark,
        horizon=horizon,
        purchases=[_purchase(2_000, 100)],
        prices={ONE: price},
    )

    for series in (ONE, TWO):
        # The dearest coin was sold at the start, for 20.
        cap = price * 20 if series == ONE and hours else 0
        # A session that was not over at the watermark was reported a second later.
        first: dict[str, datetime] = {}
        for viewer, of_series, hour in starts:
            at = START + hour * HOUR
            if of_series == series and at + SECOND < watermark:
                first[viewer] = min(at, first.get(viewer, at))
        mature = {viewer: at for viewer, at in first.items() if at + window <= watermark}
        earned = {
            (viewer, means): min(
                sum(
                    row["value_micros"]
                    for row in unlocks
                    if (row["viewer_id"], row["series_id"], row["means"]) == (viewer, series, means)
                    and at <= row["created_at"] < at + window
                ),
                cap or 10**12,
            )
            for viewer, at in mature.items()
            for means in ("coins", "ad")
        }
        coins = [earned[viewer, "coins"] for viewer in mature]
        assert found.get(series) == (
            len(mature),
            sum(value > 0 for value in coins),
            sum(coins),
            sum(earned[viewer, "ad"] for viewer in mature),
        )


def test_a_title_is_drawn_once_a_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    draw = posterior.draw

    def counted(counts: Counts, prior: Prior, *, seed: int) -> Draws:
        seeds.append(seed)
        return draw(counts, prior, seed=seed)

    monkeypatch.setattr(posterior, "draw", counted)

    with _standing([_start("a")], [_unlock("a", START, 1)], watermark=START + DAY) as (standing, _):
        assert len(seeds) == len(set(seeds)) == len(standing.titles) == 2


@pytest.mark.django_db
def test_all_list_prices_are_found_with_as_many_queries_as_one(
    django_assert_num_queries: Any,
) -> None:
    def priced(numbers: range) -> str:
        series = SeriesFactory()
        for number in numbers:
            EpisodeFactory(series=series, number=number)
        return str(series.id)

    prices = {priced(range(1, last + 1)): 60 * (last - 8) for last in (8, 9, 12)}
    caps.list_prices(at=START)  # reads the ladder, which is kept

    with django_assert_num_queries(2):
        found = caps.list_prices(at=START)

    assert found == prices
