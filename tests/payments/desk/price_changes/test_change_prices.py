"""A change of prices is drafted, agreed to, in force at its moment, and can be rolled back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from catalog.models import Series
from payments.desk import price_versions
from payments.desk.price_changes import approval
from payments.desk.price_changes.contents import (
    AdjustedPrice,
    Campaign,
    Content,
    MoveSeries,
    NewVersion,
    PriceTable,
    TermsContent,
)
from payments.models import ChangeState, PlanAssignment, PricePlan, PriceVersion
from tests.factories.payments import PAST
from tests.payments.desk.price_changes.conftest import Draft, price_of

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
NINE = 9


def terms(base_price_coins: int = 70, **given: object) -> TermsContent:
    return TermsContent(free_count=8, base_price_coins=base_price_coins, **given)


@pytest.fixture
def premiere(plan: PricePlan) -> PricePlan:
    made = PricePlan.objects.create(name="Premiere", created_at=PAST)
    price_versions.add(plan=made, effective_from=PAST, free_count=8, base_price_coins=80, now=PAST)
    return made


@pytest.fixture(params=["new version", "other plan", "price table", "campaign"])
def content(
    request: pytest.FixtureRequest,
    plan: PricePlan,
    premiere: PricePlan,
    titles: Sequence[Series],
    now: datetime,
) -> Content:
    """Each asks 80 coins for episode nine of the titles."""
    made: dict[str, Content] = {
        "new version": NewVersion(plan_id=plan.id, terms=terms(80)),
        "other plan": MoveSeries(plan_id=premiere.id),
        "price table": PriceTable(rows={one.id: terms(80) for one in titles}),
        "campaign": Campaign(ends_at=now + 9 * DAY, price=AdjustedPrice(price_coins=80)),
    }
    return made[request.param]


def about(content: Content, titles: Sequence[Series]) -> Sequence[Series]:
    return () if isinstance(content, NewVersion) else titles


def test_what_one_person_may_change_is_in_force_at_once(
    content: Content, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    change = draft(content, about(content, titles))
    assert [price_of(one, NINE, now) for one in titles] == [60, 60, 60]

    change = approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    assert (change.state, change.titles_count) == (ChangeState.SCHEDULED, 3)
    assert change.largest_rise_parts_per_million == 333_333
    assert [price_of(one, NINE, now) for one in titles] == [80, 80, 80]
    assert [price_of(one, NINE, now - SECOND) for one in titles] == [60, 60, 60]


def test_a_scheduled_change_is_in_force_from_its_moment_on(
    content: Content, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    change = draft(content, about(content, titles), effective_from=now + DAY)
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    moments = (now, now + DAY - SECOND, now + DAY)
    assert [price_of(titles[0], NINE, at) for at in moments] == [60, 60, 80]


def test_withdrawn_before_its_moment_it_never_was(
    content: Content, titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    change = draft(content, about(content, titles), effective_from=now + DAY)
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    ended = approval.end(change_id=change.id, operator_id=dana.id, now=now + SECOND)

    assert ended.state == ChangeState.WITHDRAWN
    assert [price_of(one, NINE, now + 2 * DAY) for one in titles] == [60, 60, 60]


@pytest.mark.parametrize("later", [timedelta(0), DAY], ids=["at once", "a day later"])
def test_rolled_back_it_costs_what_it_cost_and_the_past_stays(
    content: Content,
    titles: Sequence[Series],
    draft: Draft,
    dana: User,
    now: datetime,
    later: timedelta,
) -> None:
    change = draft(content, about(content, titles))
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    ended = approval.end(change_id=change.id, operator_id=dana.id, now=now + later)

    assert ended.state == ChangeState.ROLLED_BACK
    assert [price_of(one, NINE, now + later + SECOND) for one in titles] == [60, 60, 60]
    if later:
        assert [price_of(one, NINE, now + later - SECOND) for one in titles] == [80, 80, 80]


def test_above_the_threshold_it_waits_for_somebody_else(
    titles: Sequence[Series],
    plan: PricePlan,
    draft: Draft,
    dana: User,
    erin: User,
    now: datetime,
) -> None:
    change = draft(NewVersion(plan_id=plan.id, terms=terms(100)))  # 67 % dearer
    change = approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    assert change.state == ChangeState.WAITING
    assert price_of(titles[0], NINE, now) == 60
    with pytest.raises(approval.SamePerson, match="somebody else"):
        approval.decide(change_id=change.id, operator_id=dana.id, is_agreed=True, note="", now=now)
    assert price_of(titles[0], NINE, now) == 60

    approval.decide(change_id=change.id, operator_id=erin.id, is_agreed=True, note="", now=now)

    assert price_of(titles[0], NINE, now) == 100
    with pytest.raises(approval.DecidedBefore):
        approval.decide(change_id=change.id, operator_id=erin.id, is_agreed=True, note="", now=now)
    assert PriceVersion.objects.filter(change=change).count() == 1


def test_many_titles_wait_even_when_little_changes(
    titles: Sequence[Series], premiere: PricePlan, draft: Draft, dana: User, now: datetime, settings
) -> None:
    settings.PRICE_SOLO_TITLES = 2
    change = draft(MoveSeries(plan_id=premiere.id), titles)

    change = approval.propose(change_id=change.id, operator_id=dana.id, now=now)

    assert change.state == ChangeState.WAITING
    assert not PlanAssignment.objects.exists()


def test_agreed_to_after_it_grew_it_is_refused(
    titles: Sequence[Series],
    plan: PricePlan,
    premiere: PricePlan,
    draft: Draft,
    dana: User,
    erin: User,
    now: datetime,
) -> None:
    moved = draft(MoveSeries(plan_id=premiere.id), titles[:1])
    approval.propose(change_id=moved.id, operator_id=dana.id, now=now)
    change = draft(NewVersion(plan_id=plan.id, terms=terms(100)))
    approval.propose(change_id=change.id, operator_id=dana.id, now=now)
    approval.end(change_id=moved.id, operator_id=dana.id, now=now)

    with pytest.raises(approval.Outdated, match="3 titles, where 2 were asked for"):
        approval.decide(change_id=change.id, operator_id=erin.id, is_agreed=True, note="", now=now)
    assert price_of(titles[0], NINE, now + SECOND) == 60
