"""Why a viewer may watch under a subscription, or may not any more."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Series
from payments.models import ChangeCause, StoreMessage, SubscriptionState
from payments.providers.base import State
from payments.store import facts, subscriptions
from payments.store.facts import Telling
from payments.support import holdings, why
from payments.support.explanations import (
    Ending,
    Explanation,
    PeriodSource,
    Reason,
    SubscriptionCause,
    SubscriptionFact,
)
from tests.factories.operators import operator
from tests.factories.payments import buy_pass
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode
from tests.payments.ledger.days.story import spend
from tests.payments.subscribing import DAY, Story, plan, tell
from viewers.models import Device

#: As docs/money.md promises.
MOST_QUERIES = 15


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(coins=100))


@pytest.fixture
def watched(api: Client, series: Series, device: Device, story: Story, now: datetime) -> None:
    """Episode 9, played under the first period."""
    tell(story.paid(0), now=now)
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=viewer_headers(device, now=now))


def explained(story: Story, series: Series, at: datetime) -> Explanation:
    assert story.viewer_id is not None
    return why.why(
        viewer_id=story.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        at=at,
    )


def behind(told: Explanation) -> SubscriptionFact:
    cause = told.entitlement.cause if told.entitlement else told.earlier[0].cause
    assert isinstance(cause, SubscriptionCause)
    assert cause.subscription is not None
    return cause.subscription


def test_a_yes_names_the_subscription_its_state_and_who_told_of_it(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    told = explained(story, series, now)

    assert (told.may_watch, told.reason) == (True, Reason.SUBSCRIPTION)
    found = behind(told)
    assert (found.subscription_id, found.name, found.state) == (
        story.row().id,
        story.name,
        SubscriptionState.ACTIVE,
    )
    (telling,) = found.tellings
    assert (telling.cause, telling.state, telling.access_until, telling.as_of) == (
        "message",
        "active",
        story.begins(1),
        now,
    )
    (period,) = found.periods
    assert (period.transaction_id, period.starts_at, period.ends_at) == (
        f"{story.name}..0",
        now,
        story.begins(1),
    )


def test_so_does_one_that_nothing_was_opened_under(
    series: Series, story: Story, now: datetime
) -> None:
    tell(story.paid(0), now=now)

    told = explained(story, series, now)

    assert told.entitlement is None
    assert told.cover is not None
    assert told.cover.subscription is not None
    assert told.cover.subscription.name == story.name
    assert story.viewer_id is not None
    held = holdings.show(viewer_id=story.viewer_id, environment="production", now=now)
    assert held.cover == told.cover


def test_the_stores_message_is_named(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    message = StoreMessage.objects.create(
        provider="fake",
        environment="production",
        event_id="e-1",
        type="cancelled",
        arrived_by="pushed",
        body=b"x",
        occurred_at=now,
        received_at=now,
        next_attempt_at=now,
    )
    facts.apply(
        story.says(State.CANCELLED, at=now + DAY, until=story.begins(1)),
        provider="fake",
        telling=Telling(cause=ChangeCause.MESSAGE, message_id=message.id),
        now=now + DAY,
    )

    found = behind(explained(story, series, now + DAY))

    assert [(each.state, each.message_id) for each in found.tellings] == [
        ("active", None),
        ("cancelled", message.id),
    ]


@pytest.mark.parametrize("state", [State.EXPIRED, State.REVOKED, State.PAUSED, State.ON_HOLD])
def test_a_no_says_what_the_store_told(
    series: Series, story: Story, watched: None, now: datetime, state: State
) -> None:
    tell(story.says(state, at=now + DAY), now=now + DAY)

    told = explained(story, series, now + DAY)

    assert (told.may_watch, told.reason) == (False, Reason.LOCKED)
    closing = told.earlier[0].closing
    assert closing is not None
    assert (closing.how, closing.at) == (Ending.TOLD, now + DAY)
    assert closing.telling is not None
    assert closing.telling.state == behind(told).state == SubscriptionState(state)


def test_a_no_says_what_refund_it_was(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    tell(story.refund(0, at=now + DAY, reason="remorse"), now=now + DAY)

    closing = explained(story, series, now + DAY).earlier[0].closing

    assert closing is not None
    assert (closing.how, closing.reason) == (Ending.REFUNDED, "remorse")
    assert closing.refund is not None
    assert closing.refund.gross_micros == 10_000_000


def test_a_no_says_which_one_took_its_place(
    series: Series, device: Device, story: Story, watched: None, now: datetime
) -> None:
    successor = Story(device.viewer_id, now + DAY, plan(title="Premium"), name="successor")
    tell(successor.paid(0, replaces=story.name), now=now + DAY)

    told = explained(story, series, now + DAY)

    # The other covers, and opens it as it is played.
    assert told.may_watch
    assert told.cover is not None
    assert told.cover.subscription is not None
    assert told.cover.subscription.name == "successor"
    closing = told.earlier[0].closing
    assert closing is not None
    assert closing.how is Ending.REPLACED
    assert closing.telling is not None
    assert closing.telling.pass_code == successor.product.pass_product.code
    assert behind(told).replaced_by == "successor"


def test_a_no_says_to_whom_it_went_and_by_whom(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    heir = DeviceFactory().viewer_id
    subscriptions.transfer(
        story.row(), viewer_id=heir, operator_id=operator("olga").id, now=now + DAY
    )

    told = explained(story, series, now + DAY)

    closing = told.earlier[0].closing
    assert closing is not None
    assert (closing.how, closing.by) == (Ending.TRANSFERRED, "olga")
    assert [each.to_viewer_id for each in behind(told).transfers] == [heir]


def test_what_runs_out_has_lapsed(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    closing = explained(story, series, story.begins(1)).earlier[0].closing

    assert closing is not None
    assert (closing.how, closing.at) == (Ending.LAPSED, story.begins(1))


def test_nothing_that_came_later_has_a_trace_in_it(
    series: Series, story: Story, watched: None, now: datetime
) -> None:
    moments = [now + n * DAY for n in range(6)]
    steps = [
        lambda at: tell(story.says(State.GRACE, at=at, until=at + DAY), now=at),
        lambda at: tell(story.refund(0, at=at), now=at),
        lambda at: tell(story.reversal(0, at=at), now=at),
        lambda at: tell(story.paid(0, at=now, renews_as=""), now=at),
        lambda at: subscriptions.transfer(
            story.row(), viewer_id=DeviceFactory().viewer_id, operator_id=None, now=at
        ),
    ]
    written = [msgspec.json.encode(explained(story, series, moments[0]))]
    for at, step in zip(moments[1:], steps, strict=True):
        step(at)
        written.append(msgspec.json.encode(explained(story, series, at)))

    again = [msgspec.json.encode(explained(story, series, at)) for at in moments]
    assert again == written
    assert len(set(written)) == 6


def test_coins_of_a_period_are_explained_by_it(series: Series, story: Story, now: datetime) -> None:
    assert story.viewer_id is not None
    tell(story.says(State.PAUSED, at=now, period=story.period(0)), now=now)
    spend(story.viewer_id, series, 9, now)

    told: Any = explained(story, series, now)

    (lot,) = told.entitlement.cause.lots
    assert isinstance(lot.source, PeriodSource)
    assert lot.source.period.subscription_id == story.row().id
    assert lot.source.period.transaction_id == f"{story.name}..0"


def test_takes_as_many_queries_however_long_the_story(
    series: Series, story: Story, watched: None, now: datetime, django_assert_num_queries: Any
) -> None:
    """With coins of a period that were spent on it, and a pass, beside the subscription."""
    assert story.viewer_id is not None
    tell(story.says(State.PAUSED, at=now + DAY), now=now + DAY)
    spend(story.viewer_id, series, 9, now + DAY)
    buy_pass(story.viewer_id, now=now + DAY)
    moment = now + 2 * DAY
    with CaptureQueriesContext(connection) as short:
        explained(story, series, moment)

    boss = operator("olga").id
    for n in range(8, 14):
        at = now + n * DAY / 2
        tell(story.refund(0, at=at), story.paid(0, at=at), now=at)
        tell(story.reversal(0, at=at + DAY / 4), now=at + DAY / 4)
        for viewer in (DeviceFactory().viewer_id, story.viewer_id):
            subscriptions.transfer(story.row(), viewer_id=viewer, operator_id=boss, now=at)

    with django_assert_num_queries(len(short)):
        explained(story, series, now + 8 * DAY)
    assert len(short) <= MOST_QUERIES
