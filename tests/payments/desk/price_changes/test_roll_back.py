"""Rolled back, everything costs what it would cost without the change: in whatever order it happens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from catalog.models import Series
from payments.desk import plans, price_versions
from payments.desk.price_changes import approval
from payments.desk.price_changes.contents import (
    Content,
    MoveSeries,
    NewVersion,
    PriceTable,
    TermsContent,
)
from payments.models import ChangeState, PriceChange, PricePlan
from tests.factories.payments import PAST
from tests.payments.desk.price_changes.conftest import Draft, price_of

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NINE = 9
PRICES = (70, 75, 80)
BEFORE = 60


def asking(price_coins: int) -> TermsContent:
    return TermsContent(free_count=8, base_price_coins=price_coins)


@pytest.fixture(params=["versions", "versions of a plan without any", "tables", "moves", "mixed"])
def contents(
    request: pytest.FixtureRequest, plan: PricePlan, titles: Sequence[Series]
) -> Sequence[Content]:
    """Three changes after which the first title costs 70, 75 and 80 coins."""
    if request.param == "versions":
        return [NewVersion(plan_id=plan.id, terms=asking(price)) for price in PRICES]
    if request.param == "versions of a plan without any":
        empty = PricePlan.objects.create(name="Empty", created_at=PAST)
        ids = [one.id for one in titles]
        plans.assign(plan=empty, series_ids=ids, effective_from=PAST, now=PAST)
        return [NewVersion(plan_id=empty.id, terms=asking(price)) for price in PRICES]
    tables = [PriceTable(rows={one.id: asking(price) for one in titles}) for price in PRICES]
    moves = [MoveSeries(plan_id=a_plan(price).id) for price in PRICES]
    if request.param == "mixed":
        return [tables[0], moves[1], tables[2]]
    return tables if request.param == "tables" else moves


def a_plan(price_coins: int) -> PricePlan:
    made = PricePlan.objects.create(name=f"At {price_coins}", created_at=PAST)
    price_versions.add(
        plan=made, effective_from=PAST, free_count=8, base_price_coins=price_coins, now=PAST
    )
    return made


def test_the_latest_change_that_was_not_rolled_back_is_what_is_asked(
    contents: Sequence[Content], titles: Sequence[Series], draft: Draft, dana: User, now: datetime
) -> None:
    """In every order in which three changes are made, one after the other, and all are rolled back."""
    orders = 0

    def go_on(changes: Sequence[PriceChange], standing: Sequence[int], hours: int) -> None:
        nonlocal orders
        at = now + hours * HOUR
        expected = PRICES[max(standing)] if standing else BEFORE
        assert price_of(titles[0], NINE, at - HOUR + SECOND) == expected
        if len(changes) < len(contents):
            with undone():
                content = contents[len(changes)]
                about = () if isinstance(content, NewVersion) else titles
                one = made(draft(content, about, now=at), dana, at)
                go_on([*changes, one], [*standing, len(changes)], hours + 1)
        for place in standing:
            with undone():
                ended = approval.end(change_id=changes[place].id, operator_id=dana.id, now=at)
                assert ended.state == ChangeState.ROLLED_BACK
                go_on(changes, [other for other in standing if other != place], hours + 1)
        orders += len(changes) == len(contents) and not standing

    go_on([], [], 0)
    assert orders == 15


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is done inside was not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def made(change: PriceChange, who: User, at: datetime) -> PriceChange:
    change = approval.propose(change_id=change.id, operator_id=who.id, now=at)
    assert change.state == ChangeState.SCHEDULED
    return change


def test_what_is_scheduled_meanwhile_begins_all_the_same(
    titles: Sequence[Series], plan: PricePlan, draft: Draft, dana: User, now: datetime
) -> None:
    first = made(draft(NewVersion(plan_id=plan.id, terms=asking(70))), dana, now)
    second = NewVersion(plan_id=plan.id, terms=asking(75))
    later = made(draft(second, effective_from=now + 5 * HOUR), dana, now)

    approval.end(change_id=first.id, operator_id=dana.id, now=now + HOUR)
    assert price_of(titles[0], NINE, now + 2 * HOUR) == BEFORE
    assert price_of(titles[0], NINE, now + 6 * HOUR) == 75

    approval.end(change_id=later.id, operator_id=dana.id, now=now + 7 * HOUR)
    assert price_of(titles[0], NINE, now + 8 * HOUR) == BEFORE
