"""A subscription is where its store's latest word puts it, and opens what that grants."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from config.problems import Problem
from payments.messages import settling
from payments.models import (
    Cover,
    Entitlement,
    PassPurchase,
    Subscription,
    SubscriptionChange,
)
from payments.providers.base import Ownership, PriceConsent, State
from payments.store import subscriptions
from payments.store.owners import Unclaimed
from tests import ledger_rules
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode
from tests.payments.subscribing import (
    DAY,
    WEEK,
    Story,
    bonus,
    covered_until,
    is_open,
    later,
    plan,
    tell,
)
from tests.payments.untouched import untouched
from viewers.models import Device

HOUR = timedelta(hours=1)
OPEN = {State.ACTIVE, State.CANCELLED, State.GRACE}


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(coins=30))


@pytest.mark.parametrize("state", State)
def test_each_state_opens_or_does_not(story: Story, now: datetime, state: State) -> None:
    """Whatever end is told with it."""
    tell(story.says(state, at=now, until=now + WEEK), now=now)

    assert story.row().state == state
    assert is_open(story, at=now) == (state in OPEN)
    assert covered_until(story.viewer_id, at=now) == (now + WEEK if state in OPEN else None)


def test_a_renewal_goes_on_where_the_period_ends(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    tell(story.paid(1), now=story.begins(1) - DAY)  # stores renew up to a day before

    first, second = Cover.objects.order_by("id")
    assert (first.ends_at, second.starts_at, second.ends_at) == (
        story.begins(1),
        story.begins(1),
        story.begins(2),
    )
    assert covered_until(story.viewer_id, at=now) == story.begins(2)
    assert all(is_open(story, at=now + n * DAY) for n in range(14))
    assert not is_open(story, at=story.begins(2))


def test_a_renewal_that_comes_late_opens_from_then_on(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    tell(story.paid(1), now=story.begins(1) + DAY)

    assert not is_open(story, at=story.begins(1) + DAY - timedelta(microseconds=1))
    assert is_open(story, at=story.begins(1) + DAY)
    assert list(Cover.objects.filter(closed_at__isnull=False)) == []


def test_grace_goes_on_and_billing_retry_closes_until_it_is_paid(
    story: Story, now: datetime
) -> None:
    end = story.begins(1)
    tell(story.paid(0), now=now)
    tell(story.says(State.GRACE, at=end, until=end + 3 * DAY), now=end)
    assert covered_until(story.viewer_id, at=end) == end + 3 * DAY

    closed = end + 3 * DAY
    tell(story.says(State.BILLING_RETRY, at=closed), now=closed)
    assert not is_open(story, at=closed)

    tell(story.paid(1, at=closed + DAY), now=closed + DAY)
    assert is_open(story, at=closed + DAY)
    assert PassPurchase.objects.count() == 2


@pytest.mark.parametrize("state", [State.PAUSED, State.ON_HOLD, State.REVOKED, State.EXPIRED])
def test_what_closes_early_closes_what_was_opened_under_it(
    api: Client, series: Series, device: Device, story: Story, now: datetime, state: State
) -> None:
    tell(story.paid(0), now=now)
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=viewer_headers(device, now=now))
    opened = Entitlement.objects.values_list("ends_at", "closed_at")
    assert set(opened) == {(story.begins(1), None)}

    tell(story.says(state, at=now + DAY), now=now + DAY)

    assert set(opened.all()) == {(story.begins(1), now + DAY)}
    assert covered_until(story.viewer_id, at=now + DAY) is None
    assert story.row().covers.get().ended_by == "told"


def test_an_end_that_comes_nearer_is_kept(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    sooner = now + 2 * DAY
    tell(story.says(State.CANCELLED, at=now + DAY, until=sooner), now=now + DAY)

    assert covered_until(story.viewer_id, at=now + DAY) == sooner
    assert not is_open(story, at=sooner)


def test_a_late_telling_of_an_earlier_moment_changes_nothing_but_is_on_record(
    story: Story, now: datetime
) -> None:
    tell(story.says(State.EXPIRED, at=now + DAY), now=now + DAY)
    applied = tell(later(story.paid(0), period=None), now=now + 2 * DAY)[0]

    assert story.row().state == "expired"
    assert not applied.is_new
    late = SubscriptionChange.objects.latest("id")
    assert (late.is_outdated, late.state, late.from_state) == (True, "active", "expired")
    assert not is_open(story, at=now + 2 * DAY)


def test_the_money_of_a_late_telling_is_booked_all_the_same(story: Story, now: datetime) -> None:
    """Apple tells a transaction with the renewal information of another moment."""
    tell(story.says(State.ACTIVE, at=story.begins(1), until=story.begins(2)), now=now + 8 * DAY)
    tell(story.paid(1, at=now), now=now + 8 * DAY)

    assert PassPurchase.objects.get().transaction_id == f"{story.name}..1"
    assert bonus(story.viewer_id) == 30
    assert is_open(story, at=now + 8 * DAY)


def test_of_two_tellings_of_one_moment_the_one_that_opens_longer_holds(
    story: Story, now: datetime
) -> None:
    """In either order: Stripe counts seconds."""
    told = [
        story.says(State.EXPIRED, at=now),
        story.says(State.ACTIVE, at=now, until=now + WEEK),
    ]
    for name, order in {"one": told, "other": told[::-1]}.items():
        for each in order:
            tell(later(each, subscription_id=name), now=now)

    assert set(Subscription.objects.values_list("state", "access_until")) == {
        ("active", now + WEEK)
    }


def test_the_same_again_is_kept_once_whenever_it_comes(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    tell(story.says(State.CANCELLED, at=now + DAY, until=story.begins(1)), now=now + DAY)

    with untouched():
        tell(story.paid(0), now=now + 2 * DAY)
        tell(story.says(State.CANCELLED, at=now + DAY, until=story.begins(1)), now=now + 2 * DAY)

    assert SubscriptionChange.objects.count() == 2


def test_the_latest_word_said_again_is_one_telling_of_all_that_time(
    story: Story, now: datetime
) -> None:
    for n in range(50):
        tell(story.paid(0, at=now + n * HOUR), now=now + n * HOUR)

    (told,) = SubscriptionChange.objects.all()
    assert (told.since, told.as_of, story.row().as_of) == (now, now + 49 * HOUR, now + 49 * HOUR)
    with untouched():
        tell(story.paid(0, at=now + 7 * HOUR), now=now + 50 * HOUR)
    # What else was said in between is late.
    tell(story.says(State.PAUSED, at=now + 7 * HOUR), now=now + 50 * HOUR)
    assert story.row().state == "active"
    assert SubscriptionChange.objects.get(state="paused").is_outdated
    assert ledger_rules.broken() == []


def test_one_said_again_after_another_is_another_telling(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    tell(story.says(State.PAUSED, at=now + DAY), now=now + DAY)
    tell(story.paid(0, at=now + 2 * DAY), now=now + 2 * DAY)

    told = SubscriptionChange.objects.order_by("id").values_list("state", "since")
    assert list(told) == [("active", None), ("paused", None), ("active", None)]


def test_what_renews_as_nothing_here_opens_and_is_paid_all_the_same(
    api: Client, device: Device, story: Story, now: datetime
) -> None:
    tell(story.paid(0, renews_as="vip.gold"), now=now)

    row = story.row()
    assert (row.renews_as, row.renews_as_name) == (None, "vip.gold")
    assert is_open(story, at=now)
    assert bonus(story.viewer_id) == 30
    headers = viewer_headers(device, now=now)
    (told,) = api.get("/v1/me/subscriptions", headers=headers).json()["subscriptions"]
    assert told["renews_as"] is None

    # Once it is sold here, the same word says more than it did.
    gold = plan()
    gold.store_product_id = "vip.gold"
    gold.save()
    tell(story.paid(0, renews_as="vip.gold"), now=now)
    assert story.row().renews_as == gold.pass_product
    assert ledger_rules.broken() == []


def test_what_a_viewer_is_asked_and_what_comes_next_are_told(
    api: Client, device: Device, story: Story, now: datetime
) -> None:
    cheaper = plan(title="Basic")
    tell(
        story.paid(0, renews_as=cheaper.store_product_id, price_consent=PriceConsent.PENDING),
        now=now,
    )

    body = api.get("/v1/me/subscriptions", headers=viewer_headers(device, now=now)).json()

    (told,) = body["subscriptions"]
    assert (told["renews_as"], told["price_consent"]) == (
        cheaper.pass_product.code if cheaper.pass_product else "",
        "pending",
    )
    assert (told["state"], told["is_open"], told["ownership"]) == ("active", True, "purchased")


def test_a_viewers_subscriptions_are_read_at_once_and_a_hundred_at_most(
    api: Client, device: Device, story: Story, now: datetime, django_assert_num_queries: Any
) -> None:
    headers = viewer_headers(device, now=now)
    for n in range(4):
        tell(story.says(State.EXPIRED, at=now, subscription_id=f"old-{n}"), now=now)
    tell(story.paid(0), now=now)

    with django_assert_num_queries(1):
        body = api.get("/v1/me/subscriptions", headers=headers).json()

    assert [each["is_open"] for each in body["subscriptions"]] == [True] + [False] * 4
    assert subscriptions.LISTED == 100


def test_a_renewal_is_new_to_whoever_tells_of_it_first(story: Story, now: datetime) -> None:
    """Though the subscription was known."""
    told = [
        tell(story.paid(0), now=now),
        tell(story.paid(0), now=now),
        tell(story.paid(1), now=story.begins(1), by=story.viewer_id),
        tell(story.paid(1), now=story.begins(1), by=story.viewer_id),
    ]

    assert [applied.is_new for (applied,) in told] == [True, False, True, False]


def test_what_a_family_shares_opens_and_has_no_money(story: Story, now: datetime) -> None:
    tell(story.paid(0, ownership=Ownership.FAMILY_SHARED), now=now)

    assert is_open(story, at=now)
    assert not PassPurchase.objects.exists()
    assert bonus(story.viewer_id) == 0

    tell(story.says(State.REVOKED, at=now + DAY, ownership=Ownership.FAMILY_SHARED), now=now + DAY)
    assert not is_open(story, at=now + DAY)


def test_sandbox_and_production_are_two_subscriptions(
    device: Device, story: Story, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    tell(Story(device.viewer_id, now, story.product, environment="sandbox").paid(0), now=now)

    assert Subscription.objects.count() == PassPurchase.objects.count() == 2
    assert {cover.environment for cover in Cover.objects.all()} == {"production", "sandbox"}


class TestWhoseItIs:
    def test_the_tokens_not_who_hands_it_in(self, story: Story, now: datetime) -> None:
        other = DeviceFactory().viewer_id
        tell(story.paid(0), now=now, by=other)

        assert story.row().viewer_id == story.viewer_id

    def test_the_first_to_hand_in_one_without_a_token(self, story: Story, now: datetime) -> None:
        first, second = DeviceFactory().viewer_id, DeviceFactory().viewer_id
        for viewer in (first, second):
            tell(story.paid(0, account_token=None), now=now, by=viewer)

        assert story.row().viewer_id == first

    def test_nobodys_where_nobody_is_known(self, story: Story, now: datetime) -> None:
        with untouched(), pytest.raises(Unclaimed):
            tell(story.paid(0, account_token=None), now=now)

    def test_the_first_viewers_whatever_later_tokens_name(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(story.paid(1, account_token=DeviceFactory().viewer_id), now=story.begins(1))

        assert {each.viewer_id for each in PassPurchase.objects.all()} == {story.viewer_id}


@pytest.mark.parametrize(
    "changes",
    [
        {"store_product_id": "nothing"},
        {"renews_as": "a\x00b"},
        {"renews_as": "x" * 600},
        {"subscription_id": "a\x00b"},
        {"subscription_id": "\ud800"},
        {"environment": "moon"},
        {"replaces": "x" * 600},
    ],
)
def test_what_cannot_be_booked_leaves_nothing_behind(
    story: Story, now: datetime, changes: dict[str, Any]
) -> None:
    with untouched(), pytest.raises(Problem):
        tell(story.paid(0, **changes), now=now)


@pytest.mark.parametrize(
    "changes",
    [
        {"price_micros": -1},
        {"currency": "usd"},
        {"store_product_id": "nothing"},
        {"transaction_id": ""},
        {"transaction_id": "a\x00b"},
    ],
)
def test_nor_does_a_period_that_cannot_be(
    story: Story, now: datetime, changes: dict[str, Any]
) -> None:
    with untouched(), pytest.raises(Problem):
        tell(story.paid(0, period=story.period(0, **changes)), now=now)


def test_a_period_ends_after_it_begins(story: Story, now: datetime) -> None:
    with untouched(), pytest.raises(Problem):
        tell(story.paid(0, period=story.period(0, ends_at=now)), now=now)


def test_a_store_that_is_asked_tells_as_any_message_does(story: Story, now: datetime) -> None:
    settling.apply_polled([story.paid(0)], provider="fake", now=now)

    assert SubscriptionChange.objects.get().cause == "read_back"
    assert is_open(story, at=now)
