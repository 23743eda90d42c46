"""Survival of beats, against tables worked out by hand and against Kaplan-Meier."""

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analytics.reports import survival
from analytics.reports.survival import Point, Step
from tests.proof import Proof

CURVES = 2000


def _plain(values: list[tuple[int, int, int]]) -> list[Point]:
    return list(
        survival.curve(
            Step(at_risk=at_risk, exits=exits, censored=censored)
            for at_risk, exits, censored in values
        )
    )


def test_hazard_and_survival_as_worked_out_by_hand() -> None:
    first, second = _plain([(100, 18, 20), (62, 6, 4)])

    assert first.hazard == pytest.approx(18 / 90)
    assert first.survival == pytest.approx(0.8)
    assert second.hazard == pytest.approx(6 / 60)
    assert second.survival == pytest.approx(0.72)


def test_the_interval_is_greenwoods_on_the_double_log_scale() -> None:
    point = _plain([(100, 20, 0), (80, 20, 0)])[1]

    # Without censoring Greenwood's variance of S = 0.6 is binomial: S(1 − S) ÷ n.
    spread = sqrt(0.6 * 0.4 / 100) / 0.6 / abs(log(0.6))
    assert point.survival == pytest.approx(0.6)
    assert point.low == pytest.approx(0.6 ** exp(1.959964 * spread))
    assert point.high == pytest.approx(0.6 ** exp(-1.959964 * spread))


def test_before_the_first_exit_the_interval_is_the_exact_one() -> None:
    (point,) = _plain([(60, 0, 20)])

    assert (point.hazard, point.survival, point.high) == (0, 1, 1)
    assert point.low == pytest.approx(0.025 ** (1 / 50))


def test_when_the_last_one_leaves_nobody_is_left_and_nothing_bounds_it_above() -> None:
    first, second = _plain([(4, 4, 0), (2, 1, 0)])

    assert (first.survival, first.low, first.high) == (0, 0, None)
    assert second.survival == 0


def test_a_beat_without_anybody_at_risk_says_nothing_and_costs_nobody() -> None:
    _, empty, last = _plain([(10, 5, 0), (0, 0, 0), (4, 2, 0)])

    assert empty == Point(None, None, None, None)
    assert last.survival == pytest.approx(0.25)


def test_without_censoring_it_is_kaplan_meier_also_with_late_entry() -> None:
    source = np.random.default_rng(20)
    entry = source.integers(0, 3, 400)
    exit_at = np.minimum(entry + source.geometric(0.2, 400) - 1, 8)

    beats = range(8)
    steps = [
        (int(((entry <= beat) & (exit_at >= beat)).sum()), int((exit_at == beat).sum()), 0)
        for beat in beats
    ]

    expected = 1.0
    for (at_risk, exits, _), point in zip(steps, _plain(steps), strict=True):
        expected *= (at_risk - exits) / at_risk
        assert point.survival == pytest.approx(expected, abs=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)).filter(
            lambda step: step[1] + step[2] <= step[0]
        ),
        max_size=12,
    )
)
def test_survival_never_rises_and_lies_in_its_interval(steps: list[tuple[int, int, int]]) -> None:
    points = [
        (point.low, point.survival, 1.0 if point.high is None else point.high)
        for point in _plain(steps)
        if point.survival is not None and point.low is not None
    ]

    curve = [survives for _, survives, _ in points]
    assert curve == sorted(curve, reverse=True)
    for low, survives, high in points:
        assert 0 <= low <= survives <= high <= 1


def test_intervals_cover_the_truth_as_often_as_they_say(proof: Proof) -> None:
    source = np.random.default_rng(proof.seed)
    hazards = np.array([0.15, 0.08, 0.05, 0.1, 0.2])
    truth = np.cumprod(1 - hazards)
    curves = proof.rounds(full=CURVES)
    covered = np.zeros((curves, len(hazards)), dtype=bool)

    for number in range(curves):
        steps, there = [], 400
        for beat, leaving in enumerate(hazards):
            there += 60 if beat == 2 else 0  # who jumps in
            # A censored viewer is seen for half of the beat, on average.
            leaves = source.random(there) < leaving
            gone = source.random(there) < 0.05
            halfway = source.random(there) < 0.5
            exits = int((leaves & ~(gone & halfway)).sum())
            censored = int((gone & ~(leaves & ~halfway)).sum())
            censored = min(censored, there - exits)
            steps.append((there, exits, censored))
            there -= exits + censored
        for beat, point in enumerate(_plain(steps)):
            assert point.low is not None
            assert point.high is not None
            covered[number, beat] = point.low <= truth[beat] <= point.high

    # By the binomial itself: of few curves it is far from normal.
    least, most = stats.binom.ppf(0.0005, curves, 0.93), stats.binom.ppf(0.9995, curves, 0.97)
    for count in covered.sum(axis=0):
        assert least <= count <= most, covered.mean(axis=0)
    proof.record("S1", "coverage of beat survival, each beat", violations=0)
