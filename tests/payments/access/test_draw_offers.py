"""By which chance a policy shows what: exact, sticky, and never without a holdout."""

from collections import Counter
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.ids import uuid7
from payments.access import offer_policies
from payments.access.offer_policies import (
    ArmDefinition,
    Circumstances,
    PolicyDefinition,
    RuleDefinition,
)
from payments.admin import offer_arms
from payments.admin.offer_arms import ArmsInvalid
from payments.models.offer_choices import BILLION, DEFAULT, Means, Payer
from viewers.models.experiments import WHOLE

SERIES, EPISODE = UUID(int=1), UUID(int=9)
NEWCOMER = Circumstances(
    Payer.NEVER_PAID, has_enough_coins=False, encounter=1, region="BR", platform="ios"
)
AD_FIRST = (Means.AD, Means.COINS)
NO_AD = (Means.COINS, Means.PACKS, Means.SUBSCRIPTION)


def _rule(*arms: tuple[tuple[Means, ...], int], **given: object) -> RuleDefinition:
    terms: dict[str, object] = {
        "payers": frozenset(),
        "has_enough_coins": None,
        "encounters_from": None,
        "encounters_to": None,
        "regions": frozenset(),
        "platforms": frozenset(),
    }
    shares = offer_policies.shares([weight for _, weight in arms])
    return RuleDefinition(
        id=uuid7(),
        name="a rule",
        arms=tuple(
            ArmDefinition(uuid7(), f"arm-{place}", shown, share)
            for place, ((shown, _), share) in enumerate(zip(arms, shares, strict=True))
        ),
        **(terms | given),
    )


def _policy(*rules: RuleDefinition, holdout: int = 5) -> PolicyDefinition:
    return PolicyDefinition(id=uuid7(), salt="pepper", holdout_percent=holdout, rules=rules)


@settings(max_examples=60, deadline=None, database=None)
@given(
    weights=st.lists(st.integers(1, 1000), min_size=1, max_size=8),
    with_ad=st.lists(st.booleans(), min_size=8, max_size=8),
    holdout=st.integers(1, 50),
)
def test_the_chances_are_exact(weights: list[int], with_ad: list[bool], holdout: int) -> None:
    shown = [AD_FIRST if has_ad else NO_AD for has_ad in with_ad]
    policy = _policy(_rule(*zip(shown, weights, strict=False)), holdout=holdout)

    choices = list(policy.choices(policy.rules[0]))

    assert sum(offer_policies.shares(weights)) == WHOLE
    assert sum(choice.propensity for choice in choices) == BILLION
    assert all(choice.propensity > 0 for choice in choices)
    of_ad = sum(choice.propensity for choice in choices if Means.AD in choice.shown)
    assert {choice.ad_propensity for choice in choices} == {of_ad}
    assert (choices[0].is_holdout, choices[0].shown) == (True, DEFAULT)
    assert choices[0].propensity == holdout * BILLION // 100


def test_viewers_are_drawn_as_often_as_is_logged() -> None:
    policy = _policy(_rule((AD_FIRST, 3), (NO_AD, 1)), holdout=20)
    viewers = [uuid5(SERIES, str(number)) for number in range(20_000)]

    drawn = Counter(
        policy.choose(NEWCOMER, viewer_id=one, series_id=SERIES, episode_id=EPISODE)
        for one in viewers
    )

    assert len(drawn) == 3
    for choice, count in drawn.items():
        chance = choice.propensity / BILLION
        # Six standard deviations, of viewers that are the same in every run.
        assert abs(count / 20_000 - chance) < 6 * (chance * (1 - chance) / 20_000) ** 0.5


def test_a_viewer_is_drawn_anew_at_another_episode_but_never_out_of_the_holdout() -> None:
    policy = _policy(_rule((AD_FIRST, 1), (NO_AD, 1)), holdout=50)
    met = {
        viewer: {
            policy.choose(
                NEWCOMER, viewer_id=viewer, series_id=SERIES, episode_id=UUID(int=episode)
            ).shown
            for episode in range(20)
        }
        for viewer in (uuid5(EPISODE, str(number)) for number in range(40))
    }

    held_out = {viewer for viewer in met if policy.holds_out(viewer)}
    assert {frozenset(met[viewer]) for viewer in held_out} == {frozenset({DEFAULT})}
    assert {frozenset(met[viewer]) for viewer in met.keys() - held_out} == {
        frozenset({AD_FIRST, NO_AD})
    }
    smaller = _policy(holdout=25)
    assert {viewer for viewer in met if smaller.holds_out(viewer)} < held_out


@pytest.mark.parametrize(
    ("given_rule", "fits"),
    [
        ({}, True),
        ({"payers": frozenset({"never_paid"})}, True),
        ({"payers": frozenset({"payer", "subscriber"})}, False),
        ({"has_enough_coins": False}, True),
        ({"has_enough_coins": True}, False),
        ({"encounters_to": 1}, True),
        ({"encounters_from": 2}, False),
        ({"regions": frozenset({"BR"})}, True),
        ({"regions": frozenset({"US"})}, False),
        ({"platforms": frozenset({"android"})}, False),
    ],
)
def test_a_rule_is_for_whom_it_says(given_rule: dict[str, object], fits: bool) -> None:
    rule, last = _rule((AD_FIRST, 1), **given_rule), _rule((NO_AD, 1))

    assert _policy(rule, last).rule_for(NEWCOMER) is (rule if fits else last)


@pytest.mark.parametrize(
    ("means", "shown", "of_ad"),
    [
        ((Means.COINS, Means.PACKS, Means.SUBSCRIPTION), {(Means.COINS,), NO_AD}, 0),
        ((Means.SUBSCRIPTION, Means.AD), {(Means.AD,), (Means.SUBSCRIPTION,)}, 600_000_000),
        ((Means.AD,), {(Means.AD,)}, BILLION),
    ],
    ids=["paid", "ad", "ad alone"],
)
def test_of_what_is_chosen_a_title_shows_what_opens_it(
    means: tuple[Means, ...], shown: set[tuple[Means, ...]], of_ad: int
) -> None:
    """With the chance of the ad that there is then: none where no answer has it, or every one."""
    policy = _policy(_rule((AD_FIRST, 3), (NO_AD, 3)), holdout=20)

    held_out, *others = policy.choices(policy.rules[0], means)

    assert {choice.shown for choice in others} == shown
    assert held_out.shown == tuple(one for one in DEFAULT if one in means)
    assert {choice.ad_propensity for choice in (held_out, *others)} == {of_ad}
    assert sum(choice.propensity for choice in (held_out, *others)) == BILLION


def test_where_no_rule_fits_everybody_is_shown_the_default() -> None:
    policy = _policy(_rule((AD_FIRST, 1), has_enough_coins=True))

    choice = policy.choose(NEWCOMER, viewer_id=EPISODE, series_id=SERIES, episode_id=EPISODE)

    assert (choice.rule, choice.arm, choice.shown) == (None, None, DEFAULT)
    assert sum(one.propensity for one in policy.choices(None)) == BILLION


def test_arms_are_read_as_they_are_written() -> None:
    assert offer_arms.read("ad-first: ad, coins = 50\n\n plain:packs ") == [
        ("ad-first", ["ad", "coins"], 50),
        ("plain", ["packs"], 1),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x: gold",
        "x: ad, ad",
        "x: ad = 0",
        "x: ad = 1001",
        "x: ad\nx: coins",
        "holdout: ad",
    ],
)
def test_what_is_no_arm_is_refused(text: str) -> None:
    with pytest.raises(ArmsInvalid):
        offer_arms.read(text)
