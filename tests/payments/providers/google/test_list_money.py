"""Google is asked for what is known by its names, and its earnings report says what it kept."""

import contextlib
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from payments.providers.base import (
    Fault,
    Fee,
    Known,
    Listed,
    ListedKind,
    Lists,
    ProviderError,
    Reports,
    SubscriptionSnapshot,
)
from payments.providers.google import earnings, lists
from tests.payments.providers.google.play import (
    NOW,
    TOKEN,
    Play,
    line,
    money,
    order,
    order_line,
    period,
)

ORDER = "GPA.5555-6666-7777-88888"
COINS_ORDER = "GPA.1111-2222-3333-44444"
HEAD = (
    "Description,Transaction Date,Transaction Time,Tax Type,Transaction Type,Refund Type,Product Title,Product id,"
    "Product Type,Sku Id,Hardware,Buyer Country,Buyer State,Buyer Postal Code,Buyer Currency,"
    "Amount (Buyer Currency),Currency Conversion Rate,Merchant Currency,Amount (Merchant Currency)\n"
)


def known(name: str, subscription_id: str = "", environment: str = "production") -> Known:
    return Known(
        environment=environment,
        transaction_id=name,
        subscription_id=subscription_id,
        purchased_at=NOW,
    )


def listed(play: Play, *of: Known, environment: str = "production") -> list[Listed]:
    return list(
        play.adapter.listed(
            environment=environment, since=NOW - timedelta(days=3), until=NOW, known=of, now=NOW
        )
    )


def has_orders(play: Play, *orders: dict[str, Any]) -> None:
    """Known one by one, and in a batch as Google has it: all of it or nothing."""
    by_id = {one["orderId"]: one for one in orders}

    def batch(request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get_list("orderIds")
        if not set(asked) <= set(by_id):
            return httpx.Response(404, json={"error": {"code": 404, "message": "no", "errors": []}})
        return httpx.Response(200, json={"orders": [by_id[name] for name in asked]})

    play.answers["orders:batchGet"] = batch
    for name, one in by_id.items():
        play.answers[f"orders/{name}"] = one


def paid_period(name: str = ORDER, **changes: Any) -> dict[str, Any]:
    of_line = order_line("vip", total=money("16", 990_000_000), **period())
    return order(orderId=name, purchaseToken="sub-token", lineItems=[of_line], **changes)


@pytest.fixture
def play() -> Play:
    made = Play()
    made.answers["purchases/voidedpurchases"] = {}
    return made


def test_lists_a_purchase_by_its_token(play: Play) -> None:
    play.has_product()
    play.has_order()

    (sale,) = listed(play, known(TOKEN))

    assert (sale.kind, sale.transaction_id, sale.amount_micros, sale.currency) == (
        ListedKind.SALE,
        TOKEN,
        4_990_000,
        "AUD",
    )
    assert isinstance(play.adapter, Lists)
    assert isinstance(play.adapter, Reports)


def test_lists_periods_many_orders_at_once(play: Play) -> None:
    names = [f"GPA.5555-6666-7777-8888{n % 10}..{n}" for n in range(lists.ORDERS_A_REQUEST + 5)]
    has_orders(play, *(paid_period(name) for name in names))

    lines = listed(play, *(known(name, "sub-token") for name in names))

    assert [one.transaction_id for one in lines] == names
    assert {(one.amount_micros, one.currency, one.subscription_id) for one in lines} == {
        (16_990_000, "AUD", "sub-token")
    }
    batches = [request for request in play.asked if request.url.path.endswith(":batchGet")]
    assert len(batches) == 2


def test_one_order_that_google_does_not_know_loses_no_other(play: Play) -> None:
    has_orders(play, paid_period())
    lines = listed(play, known(ORDER, "sub-token"), known("GPA.0", "sub-token"), known("no token"))
    assert [one.transaction_id for one in lines] == [ORDER]


def test_lists_what_went_back_of_a_period(play: Play) -> None:
    refunded = {
        "processedEvent": {"eventTime": "2026-11-28T11:59:00Z"},
        "refundEvent": {"eventTime": "2026-11-28T12:00:00Z", "refundReason": "OTHER"},
    }
    has_orders(play, paid_period(state="REFUNDED", orderHistory=refunded))
    assert [(one.kind, one.line_id) for one in listed(play, known(ORDER, "sub-token"))] == [
        (ListedKind.SALE, ORDER),
        (ListedKind.REFUND, "all"),
    ]


def test_an_order_that_was_never_paid_has_no_line(play: Play) -> None:
    has_orders(play, paid_period(state="CANCELED", orderHistory={}))
    assert listed(play, known(ORDER, "sub-token")) == []


def test_a_test_subscription_needs_no_order(play: Play) -> None:
    play.has_subscription(token="sub-token", testPurchase={})
    has_orders(play)
    (sale,) = listed(play, known(ORDER, "sub-token", "sandbox"), environment="sandbox")
    assert (sale.transaction_id, sale.amount_micros) == (ORDER, None)


def test_lists_what_was_voided_though_nobody_knows_it(play: Play) -> None:
    play.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
    play.has_order(state="REFUNDED")
    play.answers["purchases/voidedpurchases"] = {
        "voidedPurchases": [
            {
                "purchaseToken": TOKEN,
                "orderId": COINS_ORDER,
                "voidedTimeMillis": str(int(NOW.timestamp() * 1000)),
                "voidedReason": 1,
            }
        ]
    }
    assert [(one.kind, one.transaction_id) for one in listed(play)] == [
        (ListedKind.SALE, TOKEN),
        (ListedKind.REFUND, TOKEN),
    ]
    assert listed(play, environment="sandbox") == []


def test_looks_up_an_earlier_period_by_its_order(play: Play) -> None:
    play.has_subscription(token="sub-token")
    has_orders(play, paid_period())

    (snapshot,) = play.adapter.looked_up(known(ORDER, "sub-token"), now=NOW)

    assert isinstance(snapshot, SubscriptionSnapshot)
    assert snapshot.period is not None
    assert (snapshot.subscription_id, snapshot.period.transaction_id) == ("sub-token", ORDER)
    assert snapshot.account_token is not None
    assert snapshot.access_until == snapshot.period.ends_at


def test_looks_up_a_purchase_by_its_token_or_its_order(play: Play) -> None:
    play.has_product()
    play.has_order()
    by_token = play.adapter.looked_up(known(TOKEN), now=NOW)
    assert play.adapter.looked_up(known(COINS_ORDER), now=NOW) == by_token
    for name in ("GPA.0", "unknown"):
        with pytest.raises(ProviderError) as refused:
            play.adapter.looked_up(known(name), now=NOW)
        assert refused.value.fault is Fault.GONE


def row(kind: str, amount: str, *, name: str = COINS_ORDER, sku: str = "coins_500") -> str:
    return (
        f'{name},"Nov 28, 2026",3:59:59 AM PST,,{kind},,500 coins,com.example.drama,1,{sku},phone,AU,,,AUD,'
        f"{amount},0.65,USD,{amount}\n"
    )


def reported(play: Play, text: str) -> list[Listed]:
    return list(play.adapter.reported(text.encode(), environment="production", now=NOW))


class TestEarnings:
    def test_a_charge_is_a_sale_under_our_name_with_its_fee(self, play: Play) -> None:
        has_orders(play, order())
        text = HEAD + row("Charge", "4.54") + row("Google fee", "-0.68") + row("Tax", "0.45")

        (sale,) = reported(play, text)

        assert (sale.kind, sale.transaction_id) == (ListedKind.SALE, TOKEN)
        # What the order says: a charge is without the tax that Google pays.
        assert (sale.amount_micros, sale.currency) == (4_990_000, "AUD")
        assert sale.fee == Fee(680_000, "USD")
        assert sale.occurred_at == datetime(2026, 11, 28, 11, 59, 59, tzinfo=UTC)

    def test_a_period_is_named_by_its_order(self, play: Play) -> None:
        has_orders(play, paid_period())
        text = HEAD + row("Charge", "16.99", name=ORDER, sku="vip")
        (sale,) = reported(play, text)
        assert (sale.transaction_id, sale.subscription_id) == (ORDER, "sub-token")

    def test_two_charges_are_two_lines_and_one_fee(self, play: Play) -> None:
        has_orders(play, order())
        lines = reported(play, HEAD + 2 * row("Charge", "4.54") + row("Google fee", "-0.68"))
        assert len({one.line_id for one in lines}) == 2
        assert [one.fee for one in lines] == [Fee(680_000, "USD"), None]

    def test_a_refund_is_as_the_order_has_it_with_the_fee_that_came_back(self, play: Play) -> None:
        play.has_product(purchaseStateContext={"purchaseState": "CANCELLED"})
        has_orders(play, order(state="REFUNDED"))
        text = HEAD + row("Charge refund", "-4.54") + row("Google fee refund", "0.68")
        (refund,) = reported(play, text)
        assert (refund.kind, refund.transaction_id, refund.line_id) == (
            ListedKind.REFUND,
            TOKEN,
            "all",
        )
        assert refund.fee == Fee(-680_000, "USD")

    def test_a_refund_that_the_order_does_not_show_is_of_no_known_part(self, play: Play) -> None:
        play.has_product()
        has_orders(play, order())
        (refund,) = reported(play, HEAD + row("Charge refund", "-1.00"))
        assert (refund.kind, refund.has_amount) == (ListedKind.REFUND, False)

    def test_an_order_that_google_does_not_know_keeps_its_own_name(self, play: Play) -> None:
        has_orders(play)
        (sale,) = reported(play, HEAD + row("Charge", "4.54"))
        assert (sale.transaction_id, sale.amount_micros) == (COINS_ORDER, None)

    def test_several_products_of_an_order_are_several_lines(self, play: Play) -> None:
        both = [order_line(), order_line("coins_900", total=money("9"))]
        has_orders(play, order(lineItems=both))
        play.has_product(productLineItem=[line(), line("coins_900")])
        text = HEAD + row("Charge", "4.54") + row("Charge", "8.20", sku="coins_900")
        assert [one.transaction_id for one in reported(play, text)] == [
            f"{TOKEN}#coins_500",
            f"{TOKEN}#coins_900",
        ]

    def test_reads_the_zip_file_that_it_comes_in(self, play: Play) -> None:
        has_orders(play, order())
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as folder:
            folder.writestr("PlayApps_202611.csv", HEAD + row("Charge", "4.54"))
        lines = play.adapter.reported(packed.getvalue(), environment="production", now=NOW)
        assert len(list(lines)) == 1

    @pytest.mark.parametrize(
        ("day", "time", "moment"),
        [
            ("Jul 4, 2026", "12:00:00 AM PDT", datetime(2026, 7, 4, 7, tzinfo=UTC)),
            ("Jan 4, 2026", "12:00:00 AM PST", datetime(2026, 1, 4, 8, tzinfo=UTC)),
            # The hour that comes twice.
            ("Nov 1, 2026", "1:30:00 AM PDT", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
            ("Nov 1, 2026", "1:30:00 AM PST", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ],
    )
    def test_knows_californias_time(self, day: str, time: str, moment: datetime) -> None:
        text = HEAD + row("Charge", "1").replace("Nov 28, 2026", day).replace(
            "3:59:59 AM PST", time
        )
        assert earnings.read(text.encode())[0].charges == [moment]

    def test_refuses_archives_that_are_broken_or_locked(self, play: Play) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as folder:
            folder.writestr("a.csv", HEAD + row("Charge", "4.54"))
        whole = packed.getvalue()
        place = whole.index(b"a.csv") + len(b"a.csv")
        broken = whole[:place] + b"\xff" * 20 + whole[place + 20 :]
        # The bit that says that there is a password, in both of its headers.
        locked = bytearray(whole)
        locked[6] |= 1
        locked[whole.index(b"PK\x01\x02") + 8] |= 1
        for body in (broken, bytes(locked)):
            with pytest.raises(ProviderError) as refused:
                earnings.read(body)
            assert refused.value.fault is Fault.MALFORMED

    @pytest.mark.parametrize(
        "text",
        [
            "",
            HEAD
            + row("Charge", "1").replace('Nov 28, 2026",3:59:59 AM', 'Dec 31, 9999",11:59:59 PM'),
            "Description,Amount\n",
            HEAD + "short,row\n",
            HEAD + row("Charge", "many"),
            HEAD + row("Charge", "NaN"),
            HEAD + row("Charge", "1e99"),
            HEAD + row("Charge", "1").replace("Nov 28, 2026", "yesterday"),
            HEAD + row("Charge", "1").replace("USD", "dollars"),
            HEAD + 'a,"unclosed\n',
            "PK\x03\x04 no zip",
        ],
    )
    def test_refuses_what_is_no_report(self, play: Play, text: str) -> None:
        with pytest.raises(ProviderError) as refused:
            reported(play, text)
        assert refused.value.fault is Fault.MALFORMED

    def test_is_of_production_alone(self, play: Play) -> None:
        with pytest.raises(ProviderError):
            play.adapter.reported(HEAD.encode(), environment="sandbox", now=NOW)

    @given(
        body=some.binary(max_size=400) | some.text(max_size=200).map(lambda t: (HEAD + t).encode())
    )
    def test_nothing_but_a_refusal_escapes(self, body: bytes) -> None:
        with contextlib.suppress(ProviderError):
            earnings.read(body)
