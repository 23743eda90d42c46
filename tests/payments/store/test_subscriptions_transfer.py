"""A subscription that another viewer has from now on, while the money stays where it was."""

from datetime import datetime
from uuid import UUID

import pytest

from payments.models import (
    Cover,
    PassPurchase,
    SubscriptionTransfer,
    TransferPolicy,
)
from payments.providers.base import State
from payments.store import subscriptions
from tests.factories.operators import operator
from tests.factories.payments import give_cover
from tests.factories.viewers import DeviceFactory
from tests.payments.subscribing import (
    DAY,
    Story,
    bonus,
    covered_until,
    is_open,
    plan,
    refunded_micros,
    tell,
)
from tests.payments.untouched import untouched
from viewers.models import Device


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(coins=100))


@pytest.fixture
def heir() -> UUID:
    other: UUID = DeviceFactory().viewer_id
    return other


def give(story: Story, heir: UUID | None, now: datetime, operator_id: int | None = None) -> str:
    assert heir is not None
    return subscriptions.transfer(story.row(), viewer_id=heir, operator_id=operator_id, now=now)


def test_the_other_viewer_is_covered_from_then_on_and_the_first_no_more(
    story: Story, heir: UUID, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    assert give(story, heir, now + DAY) == "transferred"

    assert covered_until(story.viewer_id, at=now + DAY) is None
    assert covered_until(heir, at=now + DAY) == story.begins(1)
    assert {cover.ended_by for cover in story.row().covers.all()} == {"transferred", ""}
    assert is_open(story, at=now + DAY)


def test_what_was_paid_before_and_its_coins_stay_and_what_is_paid_then_is_the_others(
    story: Story, heir: UUID, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    give(story, heir, now + DAY)
    tell(story.paid(1), now=story.begins(1))

    whose = dict(PassPurchase.objects.values_list("transaction_id", "viewer"))
    assert whose == {f"{story.name}..0": story.viewer_id, f"{story.name}..1": heir}
    assert (bonus(story.viewer_id), bonus(heir)) == (100, 100)


def test_a_refund_takes_the_coins_where_they_are_and_closes_what_is_open(
    story: Story, heir: UUID, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    give(story, heir, now + DAY)
    tell(story.refund(0, at=now + 2 * DAY), now=now + 2 * DAY)

    assert (bonus(story.viewer_id), bonus(heir)) == (0, 0)
    assert covered_until(heir, at=now + 2 * DAY) is None
    assert refunded_micros(story, 0) == 10_000_000

    tell(story.reversal(0, at=now + 3 * DAY), now=now + 3 * DAY)
    assert (bonus(story.viewer_id), bonus(heir)) == (100, 0)
    assert covered_until(heir, at=now + 3 * DAY) == story.begins(1)
    assert covered_until(story.viewer_id, at=now + 3 * DAY) is None


def test_late_tellings_go_to_whose_it_is_now(story: Story, heir: UUID, now: datetime) -> None:
    tell(story.says(State.ACTIVE, at=now, until=story.begins(1)), now=now)
    give(story, heir, now + DAY)
    tell(story.paid(0, at=now), now=now + 2 * DAY)

    assert PassPurchase.objects.get().viewer_id == heir
    assert covered_until(story.viewer_id, at=now + 2 * DAY) is None


def test_there_and_back_again(story: Story, heir: UUID, now: datetime) -> None:
    tell(story.paid(0), now=now)
    give(story, heir, now + DAY)
    give(story, story.viewer_id, now + 2 * DAY)

    assert covered_until(story.viewer_id, at=now + 2 * DAY) == story.begins(1)
    assert covered_until(heir, at=now + 2 * DAY) is None
    assert SubscriptionTransfer.objects.count() == 2


def test_to_whom_it_is_already_nothing_happens(story: Story, now: datetime) -> None:
    tell(story.paid(0), now=now)
    with untouched():
        assert give(story, story.viewer_id, now + DAY) == "own"


def test_three_times_in_thirty_days_and_by_an_operator_oftener(
    story: Story, heir: UUID, now: datetime
) -> None:
    tell(story.paid(0), now=now)
    turns = [heir, story.viewer_id, heir]
    assert [give(story, one, now + n * DAY) for n, one in enumerate(turns)] == ["transferred"] * 3

    with untouched():
        assert give(story, story.viewer_id, now + 29 * DAY) == "too_often"
    assert give(story, story.viewer_id, now + 29 * DAY, operator().id) == "transferred"
    assert give(story, heir, now + 60 * DAY) == "transferred"


def test_what_operators_give_is_not_counted(story: Story, heir: UUID, now: datetime) -> None:
    boss = operator().id
    tell(story.paid(0), now=now)
    for turn in (heir, story.viewer_id, heir, story.viewer_id):
        assert give(story, turn, now + DAY, boss) == "transferred"

    assert give(story, heir, now + DAY) == "transferred"


@pytest.mark.parametrize("policy", [TransferPolicy.KEEP, TransferPolicy.TRANSFER_IF_INACTIVE])
def test_it_is_asked_for_the_policy_as_it_moves(
    device: Device, heir: UUID, now: datetime, policy: TransferPolicy
) -> None:
    story = Story(device.viewer_id, now, plan(transfer_policy=policy))
    tell(story.paid(0), now=now)

    with untouched():
        assert give(story, heir, now) == "kept"
    assert give(story, heir, now, operator().id) == "transferred"


def test_one_that_is_closed_moves_too_and_opens_for_the_other_when_it_is_paid(
    story: Story, heir: UUID, now: datetime
) -> None:
    tell(story.says(State.ON_HOLD, at=now), now=now)
    give(story, heir, now)
    tell(story.paid(0, at=now + DAY), now=now + DAY)

    assert [cover.viewer_id for cover in Cover.objects.all()] == [heir]


@pytest.mark.parametrize(
    ("policy", "while_open", "while_closed"),
    [
        (TransferPolicy.TRANSFER, True, True),
        (TransferPolicy.TRANSFER_IF_INACTIVE, False, True),
        (TransferPolicy.KEEP, False, False),
    ],
)
def test_its_products_policy_says_when_restoring_gives_it(
    device: Device, now: datetime, policy: TransferPolicy, while_open: bool, while_closed: bool
) -> None:
    story = Story(device.viewer_id, now, plan(transfer_policy=policy))
    tell(story.paid(0), now=now)

    assert subscriptions.may_transfer(story.row(), now=now) == while_open
    assert subscriptions.may_transfer(story.row(), now=story.begins(1)) == while_closed


def test_what_else_covers_the_first_viewer_goes_on(story: Story, heir: UUID, now: datetime) -> None:
    assert story.viewer_id is not None
    given = give_cover(story.viewer_id, starts_at=now, ends_at=now + 3 * DAY)
    tell(story.paid(0), now=now)
    give(story, heir, now + DAY)

    assert covered_until(story.viewer_id, at=now + DAY) == given.ends_at
