"""An analyst reads what each arm of an offer policy brings, and what the ad takes from what is paid."""

from collections.abc import Sequence
from datetime import datetime
from math import sqrt
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.reports import offer_choice, tables
from analytics.reports.offer_choice import OfferChoiceReport, OffersBy
from tests.analytics.lakes import DAY, HOUR, SECOND, Row, lake, utc
from tests.proof import Proof

POLICY, FORMER = str(UUID(int=1)), str(UUID(int=2))
START = utc("2026-03-01 10:00")
LATER = START + 30 * DAY
BILLION = 1_000_000_000


def _decision(viewer: str, at: datetime = START, episode: str = "e9", **given: object) -> Row:
    """Of an arm that shows the ad to half of its viewers, unless it is told otherwise."""
    return {
        "decision_id": f"{viewer}{episode}{at}",
        "viewer_id": viewer,
        "episode_id": episode,
        "policy_id": POLICY,
        "policy": "spring",
        "rule_place": 1,
        "rule_name": "newcomers",
        "arm": "with-ad" if given.get("shows_ad") else "plain",
        "shows_ad": False,
        "ad_propensity": BILLION // 2,
        "decided_at": at,
    } | given


def _unlock(
    viewer: str, at: datetime, micros: int, episode: str = "e9", *, means: str = "coins"
) -> Row:
    return {
        "unlock_id": f"{viewer}{at}{episode}{means}",
        "means": means,
        "viewer_id": viewer,
        "episode_id": episode,
        "value_micros": micros,
        "created_at": at,
    }


def _pass(viewer: str, at: datetime, micros: int) -> Row:
    return {"source": "passes", "viewer_id": viewer, "net_micros": micros, "created_at": at}


def _read(
    decisions: Sequence[Row],
    *,
    watermark: datetime = LATER,
    policy_id: UUID | None = None,
    **given: Sequence[Row],
) -> OfferChoiceReport:
    with lake([], watermark=watermark, tables=given | {"offer_decisions": decisions}) as source:
        return offer_choice.table(source=source, currency="USD", policy_id=policy_id)


def test_an_arm_has_what_came_of_its_encounters_within_a_day() -> None:
    decisions = [_decision(viewer) for viewer in "abcd"] + [_decision("z", arm="holdout")]

    report = _read(
        decisions,
        unlocks=[
            _unlock("a", START, 400),
            _unlock("a", START + DAY, 7000),  # of the episode, too late
            _unlock("b", START + HOUR, 30, means="ad"),
            _unlock("c", START + HOUR, 50, "e10"),  # another episode
            _unlock("a", START + 2 * DAY, -100) | {"unlocks": 0, "unlocked_at": START},
        ],
        covered=[
            {"entitlement_id": "c", "viewer_id": "c", "episode_id": "e9", "created_at": START}
        ],
        billings=[_pass("c", START, 9000), {**_pass("d", START, 5), "source": "coins"}],
    )

    holdout, arm = report.arms
    assert (holdout.arm, holdout.encounters, holdout.conversion) == ("holdout", 1, 0.0)
    assert (arm.policy, arm.rule, arm.arm, arm.encounters, arm.viewers) == (
        *("spring", "newcomers", "plain"),
        *(4, 4),
    )
    assert (arm.opened_by_coins, arm.opened_by_ad, arm.opened_by_subscription) == (1, 1, 1)
    assert (arm.coin_micros, arm.subscription_micros, arm.ad_micros) == (300, 9000, 30)
    assert arm.conversion == 0.75
    assert arm.paid_per_encounter is not None
    assert (arm.paid_per_encounter.mean_micros, arm.paid_per_encounter.low_micros) == (2325, None)


def test_titles_that_refuse_the_ad_are_apart_from_those_that_take_it() -> None:
    decisions = [
        _decision("a", arm="holdout", shows_ad=True),
        _decision("b", arm="holdout", ad_propensity=0),
        _decision("c", arm="holdout", ad_propensity=0),
    ]

    report = _read(decisions, unlocks=[_unlock("a", START, 400), _unlock("b", START, 100)])

    found = [
        (
            arm.shows_ad,
            arm.encounters,
            arm.paid_per_encounter and arm.paid_per_encounter.mean_micros,
        )
        for arm in report.arms
    ]
    assert sorted(found) == [(False, 2, 50), (True, 1, 400)]
    assert report.cannibalisation == []


def test_a_subscription_is_of_the_last_decision_before_it_whatever_the_policy() -> None:
    decisions = [
        _decision("a", START, "e9"),
        _decision("a", START + HOUR, "e10", arm="next"),
        _decision("a", START + 2 * HOUR, "o1", policy_id=FORMER),
    ]
    bought = [_pass("a", START + HOUR - SECOND, 100), _pass("a", START + 3 * HOUR, 1000)]

    report = _read(decisions, billings=bought)
    of_one = _read(decisions, billings=bought, policy_id=UUID(POLICY))

    told = {(arm.arm, str(arm.policy_id)): arm.subscription_micros for arm in report.arms}
    assert told == {("next", POLICY): 0, ("plain", POLICY): 100, ("plain", FORMER): 1000}
    assert [arm.subscription_micros for arm in of_one.arms] == [0, 100]


def test_an_arm_that_shows_the_ad_to_some_has_a_row_for_each() -> None:
    """Where no rule fits everything is shown, and there is not always an ad."""
    decisions = [_decision("a", arm="default")] + [
        _decision(viewer, arm="default", shows_ad=True) for viewer in "bcd"
    ]

    plain, shown = _read(decisions, unlocks=[_unlock("b", START, 300)]).arms

    assert (plain.shows_ad, plain.encounters, plain.viewers) == (False, 1, 1)
    assert (shown.shows_ad, shown.encounters, shown.viewers) == (True, 3, 3)
    assert shown.paid_per_encounter is not None
    assert shown.paid_per_encounter.mean_micros == 100


def test_a_day_that_is_not_over_is_counted_apart_and_its_cells_are_empty() -> None:
    unlocks = [_unlock("a", START, 400)]

    (short,) = _read([_decision("a")], watermark=START + DAY - SECOND, unlocks=unlocks).arms
    (filled,) = _read([_decision("a")], watermark=START + DAY, unlocks=unlocks).arms

    assert (short.encounters, short.immature, short.coin_micros) == (0, 1, 0)
    assert (short.conversion, short.paid_per_encounter, short.ad_per_encounter) == (None,) * 3
    assert (filled.encounters, filled.immature, filled.coin_micros) == (1, 0, 400)


def _world(rules: Sequence[tuple[int, int, int, int]]) -> tuple[list[Row], list[Row]]:
    """Of each rule (shown the ad, not shown, paid with it, paid without) as many viewers; everybody who was
    shown the ad brings 10 by it."""
    decisions, unlocks = [], []
    for place, (shown, not_shown, with_ad, without_ad) in enumerate(rules, start=1):
        chance = BILLION * shown // (shown + not_shown)
        for number in range(shown + not_shown):
            viewer, is_shown = f"{place}-{number}", number < shown
            decisions.append(
                _decision(
                    viewer,
                    shows_ad=is_shown,
                    rule_place=place,
                    rule_name=f"rule {place}",
                    ad_propensity=chance,
                )
            )
            paid = with_ad if is_shown else without_ad
            # Of two neighbours one pays double and one nothing: there is a variance.
            unlocks.append(_unlock(viewer, START, paid * 2 * (number % 2)))
            if is_shown:
                unlocks.append(_unlock(viewer, START + HOUR, 10, means="ad"))
    return decisions, unlocks


def test_what_the_ad_takes_is_weighed_by_the_chance_of_showing_it() -> None:
    # Those who pay much are shown the ad seldom: without weights it would seem to take a lot more.
    decisions, unlocks = _world([(900, 300, 100, 150), (300, 900, 1000, 1150)])

    report = _read(decisions, unlocks=unlocks)

    poor, rich, both = report.cannibalisation
    assert [(one.rule, one.with_ad, one.without_ad) for one in report.cannibalisation] == [
        ("rule 1", 900, 300),
        ("rule 2", 300, 900),
        (None, 1200, 1200),
    ]
    assert poor.paid is not None
    assert rich.paid is not None
    assert both.paid is not None
    assert both.ad is not None
    assert (poor.paid.mean_micros, rich.paid.mean_micros, both.paid.mean_micros) == (
        -50,
        -150,
        -100,
    )
    assert (both.ad.mean_micros, both.ad.low_micros, both.ad.high_micros) == (10, 10, 10)
    # Each viewer is 0 or twice the mean: that far from it, either way.
    deviation = sqrt(100**2 / 900 + 150**2 / 300)
    assert poor.paid.high_micros == round(-50 + 1.959964 * deviation)
    assert poor.paid.low_micros == round(-50 - 1.959964 * deviation)


@pytest.mark.parametrize(
    "rules", [[(100, 100, 1, 2)], [(2000, 199, 1, 2)], [(300, 0, 1, 2)]], ids=["few", "199", "all"]
)
def test_too_few_who_could_have_gone_either_way_say_nothing(
    rules: list[tuple[int, int, int, int]],
) -> None:
    decisions, unlocks = _world(rules)

    for one in _read(decisions, unlocks=unlocks).cannibalisation:
        assert (one.insufficient_overlap, one.paid, one.ad) == (True, None, None)


def test_both_tables_have_the_figures_of_the_report() -> None:
    decisions, unlocks = _world([(300, 300, 100, 150)])
    report = _read(decisions, unlocks=unlocks)
    with lake([], watermark=LATER, tables={"offer_decisions": decisions}) as source:
        compared = offer_choice.table(source=source, currency="USD", by=OffersBy.CANNIBALISATION)

    arms = tables.of(report)
    row = dict(zip(arms.columns, arms.rows[0], strict=True))
    assert (row["arm"], row["paid_per_encounter_mean_micros"]) == ("plain", 150)
    assert tables.of(compared).columns[-3:] == ["ad_mean_micros", "ad_low_micros", "ad_high_micros"]
    assert len(tables.of(compared).rows) == 2


_MET = tuple[str, int, bool]


def _by_hand(
    met: Sequence[_MET], spent: Sequence[tuple[str, int, int]], hours: int
) -> dict[str, tuple[int, int, int, float | None]]:
    """By arm: encounters, immature, opened, and the mean of what was paid."""
    found: dict[str, list[tuple[bool, int]]] = {}
    for viewer, hour, shows_ad in met:
        if hour >= hours:
            continue
        rows = found.setdefault("with-ad" if shows_ad else "plain", [])
        if hour + 24 > hours:
            rows.append((False, 0))
            continue
        paid = [
            m
            for who, when, m in spent
            if who == viewer and hour <= when < hour + 24 and when < hours
        ]
        rows.append((True, sum(paid) if paid else -1))
    return {
        arm: (
            sum(is_mature for is_mature, _ in rows),
            sum(not is_mature for is_mature, _ in rows),
            sum(paid >= 0 for is_mature, paid in rows if is_mature),
            round(sum(max(paid, 0) for is_mature, paid in rows if is_mature) / mature)
            if (mature := sum(is_mature for is_mature, _ in rows))
            else None,
        )
        for arm, rows in found.items()
    }


def test_equals_the_definition_worked_out_by_hand(proof: Proof) -> None:
    @settings(
        max_examples=proof.rounds(full=800),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        met=st.lists(
            st.tuples(st.sampled_from("abcdef"), st.integers(0, 40), st.booleans()),
            max_size=6,
            unique_by=lambda one: one[0],
        ),
        spent=st.lists(
            st.tuples(st.sampled_from("abcdef"), st.integers(0, 60), st.integers(0, 1000)),
            max_size=6,
            unique_by=lambda one: one[:2],
        ),
        hours=st.integers(0, 80),
    )
    def explore(met: list[_MET], spent: list[tuple[str, int, int]], hours: int) -> None:
        report = _read(
            [_decision(who, START + hour * HOUR, shows_ad=ad) for who, hour, ad in met],
            watermark=START + hours * HOUR,
            unlocks=[
                _unlock(who, START + hour * HOUR, micros)
                for who, hour, micros in spent
                if hour < hours
            ],
        )

        found = {
            arm.arm: (
                arm.encounters,
                arm.immature,
                arm.opened_by_coins,
                arm.paid_per_encounter and arm.paid_per_encounter.mean_micros,
            )
            for arm in report.arms
        }
        assert found == _by_hand(met, spent, hours)

    explore()
    proof.record("A1", "revenue by offer arm equals its definition in plain Python", violations=0)
