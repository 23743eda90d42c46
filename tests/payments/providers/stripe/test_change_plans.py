"""A plan is changed in Stripe's portal: which invoices are of a whole period, and which of a difference alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payments.providers.base import PaidPeriod
from tests.payments.providers.stripe.shop import PASS, Shop
from tests.payments.providers.stripe.test_subscribe import seen, to_the_end


@pytest.fixture
def prices(shop: Shop) -> dict[str, str]:
    """Two plans by the month and one by the week."""
    return {
        name: shop.order(
            "set_price", name=name, unit_amount=amount, currency="usd", interval=interval
        )["id"]
        for name, amount, interval in (
            ("plain", 1000, "month"),
            ("premium", 2500, "month"),
            ("weekly", 500, "week"),
        )
    }


def subscribed(shop: Shop, price: str) -> Any:
    return shop.subscribed(replace(PASS, price_id=price, store_product_id=price))


def period(shop: Shop, subscription_id: str) -> PaidPeriod:
    found = seen(shop, subscription_id).period
    assert found is not None
    return found


def said(found: PaidPeriod) -> tuple[int, bool, bool]:
    return found.price_micros, found.is_prorated, found.is_paid_by_credit


def test_the_rest_of_a_period_is_prorated_and_its_renewal_is_not(
    shop: Shop, prices: dict[str, str]
) -> None:
    subscription_id = subscribed(shop, prices["plain"])
    first = period(shop, subscription_id)
    assert said(first) == (10_000_000, False, False)
    left = first.ends_at - shop.now - timedelta(hours=1)
    shop.advance(seconds=left.total_seconds())

    shop.order("change", subscription=subscription_id, price=prices["premium"])
    rest = period(shop, subscription_id)
    assert (rest.store_product_id, rest.ends_at) == (prices["premium"], first.ends_at)
    assert (rest.is_prorated, rest.is_paid_by_credit) == (True, False)
    assert 0 < rest.price_micros < 30_000

    to_the_end(shop, subscription_id)
    assert said(period(shop, subscription_id)) == (25_000_000, False, False)


def test_a_downgrade_costs_nothing_and_its_credit_pays_the_renewals(
    shop: Shop, prices: dict[str, str]
) -> None:
    """What was charged is booked; a credit is of money that was charged before."""
    subscription_id = subscribed(shop, prices["premium"])
    shop.order("change", subscription=subscription_id, price=prices["plain"])
    assert said(period(shop, subscription_id)) == (0, True, False)

    to_the_end(shop, subscription_id)
    assert said(period(shop, subscription_id)) == (0, False, True)
    to_the_end(shop, subscription_id)
    assert said(period(shop, subscription_id)) == (5_000_000, False, False)


def test_a_period_that_takes_the_place_of_one_whose_rest_is_credited_is_prorated(
    shop: Shop, prices: dict[str, str]
) -> None:
    """It is a whole one by its length, and costs only what the other's money left."""
    subscription_id = subscribed(shop, prices["weekly"])
    at = shop.now
    shop.order("change", subscription=subscription_id, price=prices["premium"])
    monthly = period(shop, subscription_id)
    assert said(monthly) == (20_000_000, True, False)
    assert monthly.ends_at - at > timedelta(days=27)

    shop.order("change", subscription=subscription_id, price=prices["weekly"])
    assert said(period(shop, subscription_id)) == (0, True, False)


@pytest.mark.parametrize(("balance", "charged"), [(-900, 1_000_000), (-5000, 0)])
def test_who_ends_one_and_begins_anew_with_its_credit_has_paid_the_difference(
    shop: Shop, prices: dict[str, str], balance: int, charged: int
) -> None:
    """No period is over: as with a change of plan, what was paid before is counted once."""
    first = subscribed(shop, prices["plain"])
    customer = shop.read(f"/v1/subscriptions/{first}")["customer"]
    shop.order("cancel", subscription=first, at_period_end=False)
    with shop.stripe.changing() as account:
        account.find("customer", customer)["balance"] = balance

    sale = replace(PASS, price_id=prices["plain"], store_product_id=prices["plain"])
    session = shop.checkout(sale, customer_id=customer)
    second = shop.order("pay", session=session)["subscription"]

    assert said(period(shop, second)) == (charged, True, False)


def renewal(shop: Shop, subscription_id: str, **edits: Any) -> PaidPeriod:
    """The last renewal, with its invoice's lines edited."""
    to_the_end(shop, subscription_id)
    invoice_id = shop.read(f"/v1/subscriptions/{subscription_id}")["latest_invoice"]
    with shop.stripe.changing() as account:
        invoice = account.find("invoice", invoice_id)
        invoice.update(edits.pop("invoice", {}))
        lines = invoice["lines"]["data"]
        lines[0].update(edits.pop("line", {}))
        for beside in edits.pop("beside", ()):
            lines.append(lines[0] | beside)
    return period(shop, subscription_id)


def proration(*, subscription: str, is_apart: bool) -> dict[str, Any]:
    """As a line of the subscription's item, or as that of an invoice item of its own."""
    details = {"proration": True, "subscription": subscription}
    kind = "invoice_item_details" if is_apart else "subscription_item_details"
    return {"type": kind, "invoice_item_details": None, "subscription_item_details": None} | {
        kind: details
    }


@pytest.mark.parametrize("is_apart", [False, True])
def test_a_renewal_that_settles_a_change_of_the_period_before_is_whole(
    shop: Shop, prices: dict[str, str], is_apart: bool
) -> None:
    subscription_id = subscribed(shop, prices["plain"])
    first = period(shop, subscription_id)
    before = {
        "period": {
            "start": int(first.starts_at.timestamp()) + 86_400,
            "end": int(first.ends_at.timestamp()),
        },
        "parent": proration(subscription=subscription_id, is_apart=is_apart),
    }

    found = renewal(
        shop,
        subscription_id,
        beside=[
            before | {"amount": -300},
            before | {"amount": 700},
            before | {"amount": -50, "parent": None},
        ],
    )

    assert (found.starts_at, found.is_prorated) == (first.ends_at, False)


def test_a_rest_that_is_billed_as_items_of_its_own_is_one_all_the_same(
    shop: Shop, prices: dict[str, str]
) -> None:
    subscription_id = subscribed(shop, prices["plain"])
    invoice_id = shop.order("change", subscription=subscription_id, price=prices["premium"])["id"]
    with shop.stripe.changing() as account:
        for line in account.find("invoice", invoice_id)["lines"]["data"]:
            line["parent"] = proration(subscription=subscription_id, is_apart=True)

    rest = period(shop, subscription_id)
    assert (rest.transaction_id, rest.is_prorated) == (invoice_id, True)


@pytest.mark.parametrize(
    ("discounts", "is_paid_by_credit"),
    [([{"amount": 1000}], False), ([{"amount": 400}], True), (None, True)],
)
def test_a_period_that_a_discount_makes_free_was_paid_by_no_credit(
    shop: Shop, prices: dict[str, str], discounts: Any, is_paid_by_credit: bool
) -> None:
    subscription_id = subscribed(shop, prices["plain"])

    found = renewal(
        shop,
        subscription_id,
        invoice={"amount_paid": 0},
        line={"discount_amounts": discounts},
    )

    assert said(found) == (0, False, is_paid_by_credit)


def test_a_trial_is_free_and_whole(shop: Shop) -> None:
    subscription_id = shop.subscribed(replace(PASS, trial_days=7))

    assert said(period(shop, subscription_id)) == (0, False, False)


def test_all_events_of_it_say_the_same(shop: Shop, prices: dict[str, str]) -> None:
    mark = shop.mark()
    subscription_id = subscribed(shop, prices["plain"])
    for name in ("premium", "plain", "weekly", "premium"):
        shop.advance(days=1)
        shop.order("change", subscription=subscription_id, price=prices[name])
    to_the_end(shop, subscription_id)

    told: dict[str, set[Any]] = {}
    for fact in shop.told(mark):
        if (found := fact.period) is not None:
            told.setdefault(found.transaction_id, set()).add(found)
    assert len(told) == 6
    assert {len(one) for one in told.values()} == {1}
