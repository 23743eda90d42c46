"""What is paid after a change of plan: coins for the money alone, and nothing stays open whose money went back."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from payments.models import ExchangeRate, PassProduct, PassPurchase, Transfer
from payments.providers.base import PaidPeriod, SubscriptionSnapshot
from payments.store import exchange, period_coins
from payments.store.exchange import Rate
from tests import ledger_rules
from tests.payments.subscribing import (
    DAY,
    PRICE,
    WEEK,
    Story,
    bonus,
    covered_until,
    is_open,
    plan,
    refunded_micros,
    state_of_everything,
    tell,
)
from viewers.models import Device

HOUR = timedelta(hours=1)


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(coins=100))


def rest(
    story: Story, *, at: datetime, name: str = "rest", period: int = 0, **changes: Any
) -> SubscriptionSnapshot:
    """The store tells that the plan was changed: the rest of the period was paid, or credited."""
    told = {"transaction_id": name, "starts_at": at, "purchased_at": at, "is_prorated": True}
    return story.paid(
        period,
        at=at,
        period=story.period(period, **(told | changes)),
        until=story.begins(period + 1),
    )


class TestCoins:
    def test_of_a_rest_are_as_many_as_its_money_is_of_the_price(
        self, story: Story, now: datetime
    ) -> None:
        """An hour before the renewal an upgrade costs cents, and brings what cents bring."""
        tell(story.paid(0), now=now)
        at = story.begins(1) - HOUR
        tell(rest(story, at=at, price_micros=290_000), now=at)
        assert bonus(story.viewer_id) == 102

        tell(story.paid(1), now=story.begins(1))
        assert bonus(story.viewer_id) == 202
        assert ledger_rules.broken() == []

    @pytest.mark.parametrize(
        ("micros", "coins"),
        [
            (0, 0),
            (99_999, 0),
            (100_000, 1),
            (PRICE // 2, 50),
            (PRICE - 1, 99),
            (PRICE, 100),
            (3 * PRICE, 100),
        ],
    )
    def test_of_a_rest_are_rounded_down_and_never_more_than_a_whole_periods(
        self, story: Story, now: datetime, micros: int, coins: int
    ) -> None:
        tell(rest(story, at=now + DAY, price_micros=micros), now=now + DAY)

        assert bonus(story.viewer_id) == coins
        assert Transfer.objects.filter(code="period").count() == min(coins, 1)

    def test_of_a_rest_in_another_currency_are_for_what_it_was_worth(
        self, story: Story, now: datetime
    ) -> None:
        ExchangeRate.objects.create(
            currency="EUR", day=now.date(), rate="1.25", source="ECB", created_at=now
        )
        tell(rest(story, at=now, price_micros=2_000_000, currency="EUR"), now=now)

        assert bonus(story.viewer_id) == 25

    def test_of_a_rest_are_none_where_nobody_knows_what_its_currency_is_worth(
        self, story: Story, now: datetime
    ) -> None:
        """The money is booked as if it were the list price: that says nothing of how large a part of it it is."""
        tell(rest(story, at=now, price_micros=10_000, currency="EUR"), now=now)

        (period,) = PassPurchase.objects.all()
        assert (period.exchange_source, period.coins_transfer) == (exchange.BY_LIST, None)

    def test_of_a_list_price_without_a_rate_are_none(self, db: None, now: datetime) -> None:
        product = PassProduct(price_micros=PRICE, currency="GBP", period_coins=100)
        period = PaidPeriod(
            transaction_id="rest",
            store_product_id="vip",
            starts_at=now,
            ends_at=now + DAY,
            price_micros=PRICE,
            currency="USD",
            purchased_at=now,
            is_prorated=True,
        )

        assert period_coins.brought_by(period, product, rate=Rate(Decimal(1), exchange.OWN)) == 0

    def test_come_with_a_period_that_the_stores_credit_paid(
        self, story: Story, now: datetime
    ) -> None:
        paid = story.period(0, price_micros=0, is_paid_by_credit=True)
        tell(story.paid(0, period=paid), now=now)

        assert bonus(story.viewer_id) == 100
        # The credit is of money that was booked when it came.
        assert PassPurchase.objects.get().gross_micros == 0
        assert ledger_rules.broken() == []

    def test_of_a_rest_are_taken_when_its_money_goes_back(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(rest(story, at=now + DAY, name=f"{story.name}..9", price_micros=PRICE // 4), now=now)
        assert bonus(story.viewer_id) == 125

        tell(story.refund(9, at=now + 2 * DAY), now=now + 2 * DAY)
        assert (bonus(story.viewer_id), refunded_micros(story, 9)) == (100, PRICE // 4)
        tell(story.reversal(9, at=now + 3 * DAY), now=now + 3 * DAY)
        assert bonus(story.viewer_id) == 125


class TestCover:
    @pytest.mark.parametrize("micros", [0, 10_000])
    def test_ends_when_the_period_is_charged_back_whose_rest_cost_nothing_or_a_cent(
        self, story: Story, now: datetime, micros: int
    ) -> None:
        tell(story.paid(0), now=now)
        at = now + DAY
        tell(rest(story, at=at, price_micros=micros), now=at)
        assert is_open(story, at=at)

        tell(story.refund(0, at=at + DAY), now=at + DAY)
        assert not is_open(story, at=at + DAY)
        assert story.row().covers.get().ended_by == "refunded"
        assert ledger_rules.broken() == []

        tell(story.reversal(0, at=at + 2 * DAY), now=at + 2 * DAY)
        assert covered_until(story.viewer_id, at=at + 2 * DAY) == story.begins(1)
        assert ledger_rules.broken() == []

    def test_stays_when_a_period_is_charged_back_that_is_over(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(rest(story, at=now + DAY, price_micros=0), now=now + DAY)
        tell(story.paid(1), now=story.begins(1))
        tell(story.refund(0, at=story.begins(1)), now=story.begins(1))

        assert is_open(story, at=story.begins(1))
        assert ledger_rules.broken() == []

    def test_ends_where_a_rest_began_whose_own_money_went_back(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(rest(story, at=now + 3 * DAY, name=f"{story.name}..9"), now=now + 2 * DAY)
        tell(story.refund(9, at=now + 2 * DAY), now=now + 2 * DAY)

        assert covered_until(story.viewer_id, at=now + 2 * DAY) == now + 3 * DAY
        assert ledger_rules.broken() == []

    def test_ends_where_the_last_rest_began_that_was_paid_whatever_was_changed_for_nothing_after(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(rest(story, at=now + DAY, name=f"{story.name}..9", price_micros=PRICE), now=now + DAY)
        tell(rest(story, at=now + 2 * DAY, name="back", price_micros=0), now=now + 2 * DAY)
        tell(story.refund(9, at=now + 3 * DAY), now=now + 3 * DAY)

        assert not is_open(story, at=now + 3 * DAY)
        assert ledger_rules.broken() == []

    def test_is_of_the_rest_alone_where_no_whole_period_is_known(
        self, story: Story, now: datetime
    ) -> None:
        """As Google has it, where the other is of another token."""
        tell(rest(story, at=now, name=f"{story.name}..9", price_micros=1_000_000), now=now)
        assert is_open(story, at=now)

        tell(story.refund(9, at=now + DAY), now=now + DAY)
        assert not is_open(story, at=now + DAY)
        assert ledger_rules.broken() == []

    def test_and_coins_end_alike_in_every_order(self, story: Story, now: datetime) -> None:
        at = story.begins(1) + DAY
        messages = [
            (story.paid(0),),
            (rest(story, at=now + DAY, price_micros=3_330_000),),
            (rest(story, at=now + 2 * DAY, name="back", price_micros=0),),
            (story.paid(1, period=story.period(1, price_micros=0, is_paid_by_credit=True)),),
            (story.refund(0, at=now + 3 * DAY),),
        ]
        ends = []
        for number, order in enumerate(permutations(messages)):
            with transaction.atomic():
                for message in order:
                    tell(*message, now=at)
                ends.append(state_of_everything(at=at))
                assert number % 12 or ledger_rules.broken() == []
                transaction.set_rollback(True)

        assert all(end == ends[0] for end in ends)
        wallet: Any = ends[0]["wallets"]
        assert wallet[story.viewer_id] == (0, 133, 0, story.begins(2))


@given(
    charged=st.lists(st.integers(0, 3 * PRICE), max_size=12),
    coins=st.integers(0, 1_000_000),
    price=st.integers(1, 100 * PRICE),
)
def test_however_often_a_plan_is_changed_its_money_brings_no_more_coins_than_at_once(
    charged: list[int], coins: int, price: int
) -> None:
    product = PassProduct(price_micros=price, currency="USD", period_coins=coins)
    at = datetime.fromisoformat("2026-03-14T12:00:00+00:00")
    brought = [
        period_coins.brought_by(
            PaidPeriod(
                transaction_id=str(number),
                store_product_id="vip",
                starts_at=at,
                ends_at=at + WEEK,
                price_micros=micros,
                currency="USD",
                purchased_at=at,
                is_prorated=True,
            ),
            product,
            rate=Rate(Decimal(1), exchange.OWN),
        )
        for number, micros in enumerate(charged)
    ]

    assert sum(brought) <= coins * sum(charged) // price
    assert all(0 <= each <= coins for each in brought)


def test_code_of_before_books_whole_periods_and_leaves_free_ones_without_coins(
    story: Story, now: datetime
) -> None:
    """Both releases run while one takes the other's place."""
    tell(story.paid(0), now=now)
    subscription, product = story.row(), story.product.pass_product
    assert product is not None
    for name, gross in (("old-paid", PRICE), ("old-free", 0)):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT payments_credit_period('fake', 'production', %s, %s, %s, 'USD', %s, 0, 0,"
                " %s, 1, 'reporting currency', %s, %s, %s, 100, %s)",
                [name, subscription.id, product.id, gross, gross, now, now, now + WEEK, now],
            )

    booked = PassPurchase.objects.filter(transaction_id__startswith="old-").order_by("id")
    assert [(row.is_prorated, row.coins_transfer is not None) for row in booked] == [
        (False, True),
        (False, False),
    ]
