"""From intent to cover, and what a bad or repeated transaction does not do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payments.models import (
    Cover,
    PassProduct,
    PassPurchase,
    Purchase,
    StoreProduct,
    StoreTerms,
)
from payments.store import checkout, pass_purchases, purchases
from tests import ledger_rules
from tests.factories.payments import (
    PAST,
    PassProductFactory,
    StorePassFactory,
    StoreProductFactory,
    buy_pass,
    give_cover,
    signed_sale,
    told,
)
from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers
from tests.payments.calls import submit
from tests.payments.ledger.days.story import money_back
from tests.payments.untouched import untouched
from viewers.models import Device

DAY = timedelta(days=1)


@pytest.fixture
def product() -> StoreProduct:
    return StorePassFactory(pass_product__code="vip-week", pass_product__title="VIP week")


def announce(api: Client, headers: Any, **body: Any) -> Any:
    return api.post(
        "/v1/purchases/intents", {"provider": "fake"} | body, "application/json", headers=headers
    )


def my_passes(api: Client, headers: Any, **query: Any) -> dict[str, Any]:
    response = api.get("/v1/me/passes", query, headers=headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_whole_way_from_intent_to_cover(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    told = announce(api, headers, pass_id=str(product.pass_product_id)).json()
    assert (told["offer"], told["pass_offer"]["code"]) == (None, "vip-week")
    sold = api.post(
        "/fake-store/transactions",
        {
            "product_id": told["store_product_id"],
            "account_token": told["account_token"],
            "intent_id": told["intent_id"],
        },
        "application/json",
        headers=clock_headers(now),
    )

    credited = submit(api, headers, sold.json()["transaction"])

    assert credited.status_code == 201
    answer = credited.json()
    assert (answer["kind"], answer["pack_code"], answer["coins"]) == ("pass", None, 0)
    assert answer["price"] == {"amount_micros": 19_990_000, "currency": "USD"}
    bought = PassPurchase.objects.get()
    assert answer["bought_pass"] == {
        "pass_id": str(product.pass_product_id),
        "code": "vip-week",
        "title": "VIP week",
        "cover_id": str(bought.cover_id),
        "starts_at": "2026-03-14T12:00:00Z",
        "ends_at": "2026-03-21T12:00:00Z",
    }
    assert str(bought.intent_id) == told["intent_id"]
    wallet = api.get("/v1/me/wallet", headers=headers).json()
    assert (wallet["covered_until"], wallet["balance"]["coins"]) == ("2026-03-21T12:00:00Z", 0)


def test_coins_are_answered_as_coins(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(StoreProductFactory(), viewer_id=device.viewer_id, now=now)

    answer = submit(api, headers, signed).json()

    assert (answer["kind"], answer["bought_pass"], answer["coins"]) == ("coins", None, 500)


def test_the_same_transaction_again_is_answered_and_gives_nothing(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    first = submit(api, headers, signed)

    with untouched():
        again = submit(api, viewer_headers(device, now=now + DAY), signed)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"credited_now": False}


def test_a_key_keeps_the_answer_of_a_pass(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    keyed = headers | {"Idempotency-Key": "k"}

    first, again = (submit(api, keyed, signed) for _ in "ab")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_another_viewers_transaction_covers_whom_it_names_and_not_who_hands_it_in(
    api: Client, product: StoreProduct, device: Device, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)

    response = submit(api, viewer_headers(DeviceFactory(), now=now), signed)

    assert (response.status_code, response.json()["code"]) == (409, "transaction_of_another_viewer")
    assert Cover.objects.get().viewer_id == device.viewer_id


def test_a_transaction_that_covers_one_viewer_never_covers_another(
    product: StoreProduct, device: Device, now: datetime
) -> None:
    """Whatever door it comes through: here below the check of the account token."""
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)
    sold = told(signed, now=now)
    sale = {"provider": "fake", "transaction": sold, "now": now}
    checkout.credit(viewer_id=device.viewer_id, **sale)

    with untouched(), pytest.raises(purchases.TransactionOfAnotherViewer):
        checkout.credit(viewer_id=DeviceFactory().viewer_id, **sale)


@pytest.mark.parametrize("is_pass_first", [True, False], ids=["pass first", "coins first"])
def test_a_transaction_that_names_coins_and_a_pass_buys_what_it_named_first(
    api: Client,
    product: StoreProduct,
    device: Device,
    headers: Any,
    now: datetime,
    is_pass_first: bool,
) -> None:
    named = [product, StoreProductFactory()]
    if not is_pass_first:
        named.reverse()
    signed = [
        signed_sale(each, viewer_id=device.viewer_id, now=now, transaction_id="GPA.1")
        for each in named
    ]
    first = submit(api, headers, signed[0])

    with untouched():
        again = submit(api, headers, signed[1])

    assert again.json() == first.json() | {"credited_now": False}
    assert (PassPurchase.objects.count(), Purchase.objects.count()) == (
        (1, 0) if is_pass_first else (0, 1)
    )


@pytest.mark.parametrize("credit", [purchases.credit, pass_purchases.credit])
def test_each_writer_refuses_a_transaction_that_bought_the_other_thing(
    product: StoreProduct, device: Device, now: datetime, credit: Any
) -> None:
    """What the database says of two requests that meet, which no reading before them could know."""
    coins = StoreProductFactory()
    mine, other = (coins, product) if credit is purchases.credit else (product, coins)
    sold = {
        each.id: told(
            signed_sale(each, viewer_id=device.viewer_id, now=now, transaction_id="GPA.1"), now=now
        )
        for each in (mine, other)
    }
    who = {"viewer_id": device.viewer_id, "provider": "fake", "now": now}
    checkout.credit(transaction=sold[other.id], **who)

    with untouched(), pytest.raises(purchases.BoughtAnother):
        credit(transaction=sold[mine.id], **who)


def test_a_sandbox_pass_covers_in_the_sandbox_only(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, environment="sandbox")

    assert submit(api, headers, signed).json()["environment"] == "sandbox"

    assert api.get("/v1/me/wallet", headers=headers).json()["covered_until"] is None
    assert my_passes(api, headers)["covers"] == []
    assert set(Cover.objects.values_list("environment", flat=True)) == {"sandbox"}


def test_one_transaction_id_in_two_environments_is_two_purchases(
    device: Device, now: datetime
) -> None:
    for environment in ("production", "sandbox"):
        buy_pass(device.viewer_id, now=now, transaction_id="same", environment=environment)

    assert PassPurchase.objects.filter(transaction_id="same").count() == 2


def test_a_second_week_bought_early_is_not_lost(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    first = buy_pass(device.viewer_id, now=now)
    second = buy_pass(device.viewer_id, now=now + 2 * DAY)

    assert (first.starts_at, first.ends_at) == (now, now + 7 * DAY)
    assert (second.starts_at, second.ends_at) == (now + 7 * DAY, now + 14 * DAY)
    told = api.get("/v1/me/wallet", headers=viewer_headers(device, now=now + 3 * DAY)).json()
    assert told["covered_until"] == "2026-03-28T12:00:00Z"


def test_one_bought_after_the_end_begins_at_once(device: Device, now: datetime) -> None:
    buy_pass(device.viewer_id, now=now)
    later = buy_pass(device.viewer_id, now=now + 7 * DAY)

    assert later.starts_at == now + 7 * DAY
    assert buy_pass(device.viewer_id, now=now + 15 * DAY).starts_at == now + 15 * DAY


def test_one_bought_under_an_operators_gift_begins_when_the_gift_ends(
    device: Device, now: datetime
) -> None:
    give_cover(device.viewer_id, starts_at=now - DAY, ends_at=now + 3 * DAY)

    assert buy_pass(device.viewer_id, now=now).starts_at == now + 3 * DAY


def test_one_bought_after_a_refund_does_not_lie_on_the_one_behind_it(
    device: Device, now: datetime
) -> None:
    refunded, ahead = (buy_pass(device.viewer_id, now=now, days=30) for _ in "ab")
    money_back(refunded, now + 10 * DAY)

    month = buy_pass(device.viewer_id, now=now + 10 * DAY, days=30)
    week = buy_pass(device.viewer_id, now=now + 10 * DAY)
    fortnight = buy_pass(device.viewer_id, now=now + 10 * DAY, days=14)

    assert ahead.starts_at == now + 30 * DAY
    assert (month.starts_at, month.ends_at) == (now + 60 * DAY, now + 90 * DAY)
    assert (week.starts_at, week.ends_at) == (now + 10 * DAY, now + 17 * DAY)
    assert fortnight.starts_at == now + 90 * DAY
    assert ledger_rules.broken() == []


def test_months_behind_a_gap_are_counted_on_from_the_pass_that_they_follow(device: Device) -> None:
    start = moment("2026-01-31")
    refunded, _ = (buy_pass(device.viewer_id, now=start, months=1) for _ in "ab")
    money_back(refunded, moment("2026-02-10"))

    behind = buy_pass(device.viewer_id, now=moment("2026-02-10"), months=1)

    assert (behind.starts_at, behind.ends_at) == (moment("2026-03-31"), moment("2026-04-30"))


@given(
    history=st.lists(
        st.one_of(
            st.tuples(st.just("buy"), st.sampled_from([1, 3, 7, 30])),
            st.tuples(st.just("refund"), st.integers(0, 20)),
            st.tuples(st.just("wait"), st.integers(1, 15)),
        ),
        max_size=20,
    )
)
@hypothesis_settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_paid_day_is_a_day_of_its_own_whatever_is_bought_and_refunded(
    db: None, history: list[tuple[str, int]]
) -> None:
    viewer_id, now = DeviceFactory().viewer_id, moment("2026-03-14T12:00:00")
    bought: list[PassPurchase] = []
    for step, value in history:
        if step == "buy":
            bought.append(buy_pass(viewer_id, now=now, days=value))
        elif step == "refund" and bought:
            money_back(bought.pop(value % len(bought)), now)
        elif step == "wait":
            now += value * DAY

    spans = sorted((each.starts_at, each.ends_at) for each in bought)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert ledger_rules.broken() == []


def test_passes_of_the_other_environment_and_of_others_push_nothing_back(
    device: Device, now: datetime
) -> None:
    buy_pass(device.viewer_id, now=now, environment="sandbox")
    buy_pass(DeviceFactory().viewer_id, now=now)

    assert buy_pass(device.viewer_id, now=now).starts_at == now


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        ("2026-01-31T23:30:00", [1, 1, 1], ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2028-01-31T08:00:00", [1], ["2028-02-29"]),
        ("2028-02-29T08:00:00", [12, 12], ["2029-02-28", "2030-02-28"]),
        ("2026-11-30T08:00:00", [3, 3], ["2027-02-28", "2027-05-30"]),
        ("2026-12-15T08:00:00", [1, 12], ["2027-01-15", "2028-01-15"]),
        ("2026-05-31T08:00:00", [1, 3], ["2026-06-30", "2026-09-30"]),
    ],
)
def test_months_are_those_of_the_calendar_and_do_not_creep(
    device: Device, begins: str, months: list[int], ends: list[str]
) -> None:
    start = moment(begins)

    found = [buy_pass(device.viewer_id, now=start, months=each).ends_at for each in months]

    assert found == [datetime.combine(moment(end), start.timetz()) for end in ends]


def test_months_after_days_or_after_a_gap_are_counted_anew(device: Device) -> None:
    buy_pass(device.viewer_id, now=moment("2026-01-31"), months=1)
    after = [
        buy_pass(device.viewer_id, now=moment(bought), **length)
        for bought, length in (
            ("2026-02-01", {"days": 1}),
            ("2026-02-02", {"months": 1}),
            ("2026-04-03", {"months": 1}),
        )
    ]

    assert [each.ends_at for each in after] == [
        moment("2026-03-01"),
        moment("2026-04-01"),
        moment("2026-05-03"),
    ]


def test_the_zone_of_the_database_session_moves_no_months_end(device: Device) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'America/New_York'")
        buy_pass(device.viewer_id, now=moment("2026-01-31T02:00:00"), months=1)
        cursor.execute("SET LOCAL timezone = 'UTC'")

    assert PassPurchase.objects.get().ends_at == moment("2026-02-28T02:00:00")


def test_the_length_promised_by_the_intent_survives_an_edit_of_the_pass(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    intent, _ = pass_purchases.create_intent(
        viewer_id=device.viewer_id,
        environment="production",
        pass_id=product.pass_product_id,
        provider="fake",
        now=now,
    )
    PassProduct.objects.update(period_days=1)
    sale = {"viewer_id": device.viewer_id, "now": now, "intent_id": intent.id}

    told = [submit(api, headers, signed_sale(product, **sale)).json()["bought_pass"] for _ in "ab"]

    assert [each["ends_at"] for each in told] == ["2026-03-21T12:00:00Z", "2026-03-22T12:00:00Z"]
    assert list(PassPurchase.objects.order_by("id").values_list("intent_id", flat=True)) == [
        intent.id,
        None,
    ]


def test_an_intent_for_coins_promises_no_pass_and_the_other_way_round(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    coins = StoreProductFactory()
    for_coins = announce(api, headers, pack_id=str(coins.pack_id)).json()["intent_id"]
    for_pass = announce(api, headers, pass_id=str(product.pass_product_id)).json()["intent_id"]

    for named, intent_id in ((product, for_coins), (coins, for_pass)):
        signed = signed_sale(named, viewer_id=device.viewer_id, now=now, intent_id=intent_id)
        assert submit(api, headers, signed).status_code == 201

    assert PassPurchase.objects.get().intent_id is None
    assert Purchase.objects.get().intent_id is None


def test_an_intent_of_another_viewer_promised_nothing(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    foreign, _ = pass_purchases.create_intent(
        viewer_id=DeviceFactory().viewer_id,
        environment="production",
        pass_id=product.pass_product_id,
        provider="fake",
        now=now,
    )
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, intent_id=foreign.id)

    assert submit(api, headers, signed).status_code == 201

    bought = PassPurchase.objects.get()
    assert (bought.viewer_id, bought.intent_id) == (device.viewer_id, None)


@pytest.mark.parametrize("body", [{}, {"pack_id": "both", "pass_id": "both"}, {"pack_id": None}])
def test_an_intent_names_a_pack_or_a_pass_and_one_of_them(
    api: Client, product: StoreProduct, headers: Any, body: dict[str, Any]
) -> None:
    ids = {
        "pack_id": str(StoreProductFactory().pack_id),
        "pass_id": str(product.pass_product_id),
    }
    asked = {name: ids[name] if value else value for name, value in body.items()}

    with untouched():
        response = announce(api, headers, **asked)

    assert (response.status_code, response.json()["code"]) == (422, "product_ambiguous")


def test_a_pass_that_is_not_sold_is_refused(
    api: Client, product: StoreProduct, headers: Any
) -> None:
    nameless = PassProductFactory()
    hidden = StorePassFactory(pass_product__is_active=False)
    pack = StoreProductFactory()

    for pass_id in (nameless.id, hidden.pass_product_id, pack.pack_id, uuid4()):
        with untouched():
            response = announce(api, headers, pass_id=str(pass_id))
        assert (response.status_code, response.json()["code"]) == (422, "product_unknown")
    with untouched():
        unknown = announce(api, headers, pass_id=str(product.pass_product_id), provider="moon")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "provider_unknown")


def test_a_pass_that_is_no_longer_shown_is_honoured_under_every_name_it_had(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    renamed = StorePassFactory(pass_product=product.pass_product, store_product_id="vip.2")
    told = announce(api, headers, pass_id=str(product.pass_product_id)).json()
    assert told["store_product_id"] == "vip.2"
    PassProduct.objects.update(is_active=False)

    for named in (product, renamed):
        signed = signed_sale(named, viewer_id=device.viewer_id, now=now)
        assert submit(api, headers, signed).status_code == 201


def test_nobody_is_covered_for_ever(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    for _ in range(11):
        buy_pass(device.viewer_id, now=now, months=12)
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now)

    with untouched():
        refusals = [
            announce(api, headers, pass_id=str(product.pass_product_id)),
            submit(api, headers, signed),
        ]
    assert [(each.status_code, each.json()["code"]) for each in refusals] == [
        (409, "covered_too_far")
    ] * 2

    # The viewer has paid: the same transaction is good for cover when there is room again.
    later = viewer_headers(device, now=now + 800 * DAY)
    assert submit(api, later, signed).status_code == 201


def test_the_net_price_is_what_tax_and_fee_leave_at_the_days_terms(
    api: Client, product: StoreProduct, device: Device, headers: Any, now: datetime
) -> None:
    """12.00 with 20 % tax inside is 10.00; 15 % of that is the store's; 8.50 is earned over the week."""
    StoreTerms.objects.create(
        provider="fake",
        effective_from=PAST,
        fee_parts_per_million=150_000,
        tax_parts_per_million=200_000,
    )
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, price_micros=12_000_000)

    submit(api, headers, signed)

    bought = PassPurchase.objects.get()
    assert (bought.tax_micros, bought.fee_micros, bought.net_micros) == (
        2_000_000,
        1_500_000,
        8_500_000,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"price_micros": -1},
        {"price_micros": 10**17},
        {"environment": "xcode"},
        {"transaction_id": "t" * 513},
        {"transaction_id": "nul\x00"},
        {"price_micros": "19990000"},
        {"intent_id": "mine"},
    ],
    ids=lambda changes: "-".join(f"{name}={str(value)[:12]!r}" for name, value in changes.items()),
)
def test_a_genuine_signature_over_nonsense_is_refused(
    api: Client,
    product: StoreProduct,
    device: Device,
    headers: Any,
    now: datetime,
    changes: dict[str, Any],
) -> None:
    signed = signed_sale(product, viewer_id=device.viewer_id, now=now, **changes)

    with untouched():
        response = submit(api, headers, signed)

    assert (response.status_code, response.json()["code"]) == (422, "transaction_invalid")


def test_a_free_pass_covers_as_well(device: Device, now: datetime) -> None:
    bought = buy_pass(device.viewer_id, now=now, price_micros=0)

    assert (bought.net_micros, bought.ends_at) == (0, now + 7 * DAY)


class TestCatalog:
    def test_lists_passes_in_the_operators_order(self, api: Client, headers: Any) -> None:
        StorePassFactory(
            pass_product__position=2,
            pass_product__code="year",
            pass_product__period_months=12,
            pass_product__is_renewing=True,
            pass_product__price_micros=99_990_000,
        )
        week = StorePassFactory(pass_product__position=1, pass_product__code="week")
        StorePassFactory(pass_product=week.pass_product, store_product_id="week.2")
        PassProductFactory(is_active=False)

        listed = api.get("/v1/passes", headers=headers).json()["passes"]

        assert [each["code"] for each in listed] == ["week", "year"]
        assert listed[0] == {
            "pass_id": str(week.pass_product_id),
            "code": "week",
            "title": "VIP",
            "period": "P7D",
            "period_months": 0,
            "period_days": 7,
            "is_renewing": False,
            "period_coins": 0,
            "price": {"amount_micros": 19_990_000, "currency": "USD"},
            "store_products": {"fake": "week.2"},
        }
        assert (listed[1]["period"], listed[1]["is_renewing"]) == ("P12M", True)

    def test_coins_and_passes_are_listed_apart(self, api: Client, headers: Any) -> None:
        StoreProductFactory()

        assert api.get("/v1/passes", headers=headers).json() == {"passes": []}
        StorePassFactory()
        assert len(api.get("/v1/offers", headers=headers).json()["offers"]) == 1

    def test_a_stores_name_is_of_one_thing(self, product: StoreProduct) -> None:
        pack = StoreProductFactory().pack
        for wrong in (
            {"pack": pack, "store_product_id": product.store_product_id},
            {"pack": pack, "pass_product": product.pass_product, "store_product_id": "both"},
            {"store_product_id": "neither"},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                StoreProduct.objects.create(provider="fake", **wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"period_months": 0, "period_days": 0},
            {"period_months": 1, "period_days": 1},
            {"period_months": 13, "period_days": 0},
            {"period_months": 0, "period_days": 367},
            {"price_micros": 0},
            {"price_micros": 100_000_000_001},
            {"currency": "usd"},
        ],
    )
    def test_the_database_refuses_what_no_pass_can_be(self, db: None, wrong: Any) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            PassProductFactory(**wrong)


class TestMyPasses:
    def test_says_how_each_stands_and_what_gave_it(
        self, api: Client, device: Device, headers: Any, now: datetime
    ) -> None:
        over = buy_pass(device.viewer_id, now=now - 9 * DAY, days=1)
        given = give_cover(device.viewer_id, starts_at=now - DAY, ends_at=now + DAY)
        ahead = buy_pass(device.viewer_id, now=now)

        told = my_passes(api, headers)

        assert told["covered_until"] == "2026-03-22T12:00:00Z"
        assert [(each["cover_id"], each["source"], each["state"]) for each in told["covers"]] == [
            (str(ahead.cover_id), "pass", "ahead"),
            (str(given.id), "grant", "running"),
            (str(over.cover_id), "pass", "over"),
        ]
        first, second, _ = told["covers"]
        assert (first["purchase_id"], first["pass_code"]) == (str(ahead.id), ahead.product.code)
        assert (second["purchase_id"], second["pass_id"], second["pass_title"]) == (None,) * 3

    def test_pages_back_to_the_first(
        self, api: Client, device: Device, headers: Any, now: datetime
    ) -> None:
        bought = [buy_pass(device.viewer_id, now=now) for _ in range(5)]
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = my_passes(api, headers, **query)
            seen += [each["purchase_id"] for each in page["covers"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]

        assert seen == [str(each.id) for each in reversed(bought)]

    def test_is_nobody_elses(self, api: Client, device: Device, now: datetime) -> None:
        buy_pass(device.viewer_id, now=now)
        stranger = viewer_headers(DeviceFactory(), now=now)

        assert my_passes(api, stranger) == {
            "covered_until": None,
            "covers": [],
            "next_cursor": None,
        }

    @pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "WzFd"}])
    def test_refuses_a_foreign_cursor(self, api: Client, headers: Any, query: Any) -> None:
        response = api.get("/v1/me/passes", query, headers=headers)

        assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")

    def test_asks_as_much_for_many_as_for_one(
        self,
        api: Client,
        device: Device,
        headers: Any,
        now: datetime,
        django_assert_max_num_queries: Any,
    ) -> None:
        for _ in range(4):
            buy_pass(device.viewer_id, now=now)
        with django_assert_max_num_queries(4):
            assert len(my_passes(api, headers)["covers"]) == 4
