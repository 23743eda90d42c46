"""What is logged of a draw is exactly how likely it was."""

from collections import Counter
from math import fsum, sqrt
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from catalog import slots
from tests.proof import Proof

CANDIDATES = [UUID(int=n + 1) for n in range(6)]
TABLE = dict(zip(CANDIDATES, (0.5, 0.25, 0.12, 0.08, 0.04, 0.01), strict=True))
ODDS = slots.mixed(CANDIDATES, TABLE)
FALSE_ALARM = 1e-4

tables = st.dictionaries(st.uuids(), st.floats(0, 1), max_size=12)


def _propensities(odds: slots.Odds, taken: set[int]) -> dict[int, float]:
    left = odds.total - sum(map(odds.odds_at, taken))
    return {place: odds.odds_at(place) / left for place in range(len(odds)) if place not in taken}


@given(candidates=st.sets(st.uuids(), min_size=1, max_size=12), table=tables)
def test_no_candidate_gets_less_than_exploration_gives(candidates, table):
    odds = slots.mixed(candidates, table)

    shares = _propensities(odds, set())
    assert fsum(shares.values()) == pytest.approx(1, abs=1e-9)
    floor = slots.EXPLORATION / len(candidates)
    total = max(1.0, fsum(table.get(one, 0) for one in candidates) + slots.EXPLORATION)
    assert min(shares.values()) >= floor / total * (1 - 1e-9)


@given(
    candidates=st.sets(st.uuids(), max_size=12),
    table=tables,
    seed=st.integers(),
    without=st.integers(0, 3),
)
def test_propensities_of_every_slot_sum_to_one(candidates, table, seed, without):
    odds = slots.mixed(candidates, table)
    taken = set(range(min(without, len(odds))))

    drawn = slots.draw(odds, count=20, source=Random(seed), without=taken)  # noqa: S311

    assert len(drawn) == len(odds) - len(taken)
    for slot in drawn:
        shares = _propensities(odds, taken)
        assert fsum(shares.values()) == pytest.approx(1, abs=1e-9)
        (place,) = odds.places([slot.series_id])
        assert slot.propensity == shares[place] > 0
        taken.add(place)


def test_draws_by_the_table():
    for place, share in _propensities(ODDS, set()).items():
        assert share == pytest.approx(TABLE[ODDS.id_at(place)], abs=1e-12)


def test_draws_evenly_without_a_table():
    odds = slots.mixed(CANDIDATES, {})

    assert set(_propensities(odds, set()).values()) == {1 / 6}


def test_gives_a_title_that_is_not_in_the_table_the_share_of_exploration():
    newcomer = UUID(int=99)

    odds = slots.mixed([*CANDIDATES, newcomer], TABLE)

    (place,) = odds.places([newcomer])
    least = slots.EXPLORATION / 7
    assert _propensities(odds, set())[place] == pytest.approx(least / (1 + least), rel=1e-6)


def test_leaves_a_title_of_the_table_out_that_is_no_candidate():
    odds = slots.mixed(CANDIDATES[1:], TABLE)

    assert odds.places(CANDIDATES) == {0, 1, 2, 3, 4}
    assert CANDIDATES[0] not in {odds.id_at(place) for place in range(len(odds))}


def test_knows_what_it_leaves_out():
    odds = slots.mixed(CANDIDATES, TABLE)

    left = odds.ids_without(odds.places([CANDIDATES[0], CANDIDATES[3], UUID(int=500)]))

    assert left == b"".join(CANDIDATES[n].bytes for n in (1, 2, 4, 5))


@pytest.mark.parametrize("patience", [32, 0], ids=["by ticket", "by counting"])
def test_drawn_shares_match_the_propensities(patience, monkeypatch, proof: Proof):
    monkeypatch.setattr(slots, "_PATIENCE", patience)
    source, rounds = Random(proof.seed), proof.rounds(full=200_000)  # noqa: S311
    first, pairs = Counter[Any](), Counter[Any]()
    for _ in range(rounds):
        one, two = slots.draw(ODDS, count=2, source=source)
        first[one.series_id] += 1
        pairs[one.series_id, two.series_id] += 1

    expected_first: dict[Any, float] = {
        ODDS.id_at(p): share for p, share in _propensities(ODDS, set()).items()
    }
    expected_pairs: dict[Any, float] = {
        (ODDS.id_at(p), ODDS.id_at(q)): share * second
        for p, share in _propensities(ODDS, set()).items()
        for q, second in _propensities(ODDS, {p}).items()
    }
    for seen, expected in ((first, expected_first), (pairs, expected_pairs)):
        keys = [key for key in expected if expected[key] * rounds >= 5]
        rest = 1 - fsum(expected[key] for key in keys)
        counts = [seen[key] for key in keys] + [rounds - sum(seen[key] for key in keys)]
        wanted = [expected[key] * rounds for key in keys] + [rest * rounds]
        if rest * rounds < 1e-6:
            counts, wanted = counts[:-1], wanted[:-1]
        assert stats.chisquare(counts, wanted).pvalue > FALSE_ALARM
    proof.record("F1", f"drawn shares match logged propensities, patience {patience}", violations=0)


def test_weighing_by_the_log_tells_what_an_even_feed_would_have_earned(proof: Proof):
    """Self-normalised inverse propensity (metrics.md 2.4) covers the truth as often as it says."""
    rates = dict(zip(CANDIDATES, (0.30, 0.10, 0.20, 0.05, 0.25, 0.15), strict=True))
    truth = sum(rates.values()) / len(rates)
    runs, covered = proof.rounds(full=1000), 0
    source = Random(proof.seed)  # noqa: S311
    for _ in range(runs):
        weights, rewards = [], []
        for _ in range(2000):
            (slot,) = slots.draw(ODDS, count=1, source=source)
            weights.append((1 / len(rates)) / slot.propensity)
            rewards.append(source.random() < rates[slot.series_id])
        total = fsum(weights)
        value = fsum(w * r for w, r in zip(weights, rewards, strict=True)) / total
        spread = fsum((w * (r - value)) ** 2 for w, r in zip(weights, rewards, strict=True))
        covered += abs(value - truth) <= 1.96 * sqrt(spread) / total

    lowest = stats.binom.ppf(FALSE_ALARM, runs, 0.93)
    assert covered >= lowest
    proof.record("F2", "the even feed's value is inside its 95 % interval", violations=0)
