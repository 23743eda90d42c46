"""The rest of a series is opened at once, at the price that was shown for it, or not at all."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from catalog.models import Episode, Series
from config import seals
from payments.access import paywall
from payments.desk import promotions
from payments.models import Entitlement, Purchase, Transfer, Unlock
from payments.prices.quotes import BundleQuote
from payments.prices.terms import Adjustment
from payments.unlocking import bundles
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import default_plan, fund, give_bonus, give_cover
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments import ways
from tests.payments.calls import episode, refund, unlock
from tests.payments.untouched import untouched
from tests.payments.ways import BUNDLE_PRICE, RENTAL_PRICE, SINGLE_PRICE, unlock_rest
from viewers.models import Device, Environment

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _sold(series: Series, now: datetime) -> None:
    ways.sell(now - timedelta(hours=1))


@pytest.fixture
def bundle(api: Client, series: Series, headers: dict[str, str]) -> dict[str, Any]:
    return ways.option(api, series, headers, "bundle")


@pytest.fixture
def rich(device: Device, now: datetime) -> Purchase:
    return fund(device.viewer_id, now=now, paid=500)


def states(api: Client, series: Series, headers: dict[str, str]) -> dict[int, str]:
    shown = ways.paywall(api, series, headers)["episodes"]
    return {one["number"]: one["state"] for one in shown if one["number"] > 8}


def refused(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def test_the_paywall_shows_what_the_rest_costs_and_what_it_would_one_by_one(
    bundle: dict[str, Any],
) -> None:
    assert bundle.pop("quote")
    assert bundle == {
        "kind": "bundle",
        "episode_count": 4,
        "price_coins": 4 * BUNDLE_PRICE,
        "equivalent": None,
        "price_coins_single": 4 * SINGLE_PRICE,
        "shortfall_coins": 4 * BUNDLE_PRICE,
        "quote_expires_at": "2026-03-14T12:15:00Z",
    }


def test_everything_is_open_and_each_episode_has_an_unlock_of_its_own(
    api: Client,
    series: Series,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    response = unlock_rest(api, series, headers, quote=bundle["quote"], position_ms=61_000)

    body = response.json()
    assert response.status_code == 200
    assert (body["outcome"], body["price_coins"], body["paid_coins"]) == ("unlocked", 168, 168)
    assert body["balance"] == {"coins": 332, "paid_coins": 332, "bonus_coins": 0}
    rows = list(Unlock.objects.order_by("number"))
    assert [row.number for row in rows] == [9, 10, 11, 12]
    assert {(row.way, row.price_coins, str(row.bundle_id)) for row in rows} == {
        ("bundle", BUNDLE_PRICE, body["bundle_id"])
    }
    assert {row.position_ms for row in rows} == {61_000}
    assert [one["unlock_id"] for one in body["episodes"]] == [str(row.id) for row in rows]
    assert len({row.transfer_id for row in rows}) == len(rows)
    assert set(states(api, series, headers).values()) == {"owned"}


def test_the_version_and_everything_that_adjusted_it_are_kept(
    api: Client, series: Series, headers: dict[str, str], bundle: dict[str, Any], rich: Purchase
) -> None:
    unlock_rest(api, series, headers, quote=bundle["quote"])

    kept = Unlock.objects.first()
    assert kept.adjustments == [kept.price_version.bundle_adjustment_id]


def test_what_is_owned_already_is_neither_in_it_nor_paid_for(
    api: Client, series: Series, headers: dict[str, str], quote: str, rich: Purchase
) -> None:
    unlock(api, episode(series, 10), headers, quote=quote)
    left = ways.option(api, series, headers, "bundle")
    assert (left["episode_count"], left["price_coins"]) == (3, 3 * BUNDLE_PRICE)

    body = unlock_rest(api, series, headers, quote=left["quote"]).json()

    assert [one["number"] for one in body["episodes"]] == [9, 11, 12]
    assert body["balance"]["coins"] == 500 - SINGLE_PRICE - 3 * BUNDLE_PRICE


def test_coins_are_spent_in_the_one_order_across_its_episodes(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    give_bonus(device.viewer_id, coins=50, now=now)

    body = unlock_rest(api, series, headers, quote=bundle["quote"]).json()

    assert (body["bonus_coins"], body["paid_coins"]) == (50, 118)
    split = Unlock.objects.order_by("number").values_list("bonus_coins", "paid_coins")
    assert list(split) == [(42, 0), (8, 34), (0, 42), (0, 42)]


def test_tapped_twice_it_is_charged_once(
    api: Client, series: Series, headers: dict[str, str], bundle: dict[str, Any], rich: Purchase
) -> None:
    unlock_rest(api, series, headers, quote=bundle["quote"])
    with untouched():
        again = unlock_rest(api, series, headers, quote=bundle["quote"]).json()

    assert (again["outcome"], again["price_coins"], again["episodes"]) == (
        "already_unlocked",
        0,
        [],
    )


def test_with_a_key_it_is_answered_as_before(
    api: Client, series: Series, headers: dict[str, str], bundle: dict[str, Any], rich: Purchase
) -> None:
    keyed = headers | {"Idempotency-Key": "rest"}
    first = unlock_rest(api, series, keyed, quote=bundle["quote"])
    with untouched():
        again = unlock_rest(api, series, keyed, quote=bundle["quote"])
        other = unlock_rest(api, series, keyed, quote=bundle["quote"], position_ms=5)

    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    refused(other, 422, "idempotency_key_reused")


def test_a_key_of_one_episode_is_none_of_the_rest(
    api: Client,
    series: Series,
    headers: dict[str, str],
    quote: str,
    bundle: dict[str, Any],
    rich: Purchase,
) -> None:
    keyed = headers | {"Idempotency-Key": "one"}
    unlock(api, episode(series, 9), keyed, quote=quote)
    with untouched():
        refused(
            unlock_rest(api, series, keyed, quote=bundle["quote"]), 422, "idempotency_key_reused"
        )


def test_its_answer_outlives_the_quote(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    key = {"Idempotency-Key": "rest"}
    first = unlock_rest(api, series, headers | key, quote=bundle["quote"])
    after = viewer_headers(device, now=now + timedelta(days=3))
    again = unlock_rest(api, series, after | key, quote=bundle["quote"])

    assert again.content == first.content


def test_where_one_was_bought_meanwhile_nothing_moves_and_what_is_left_is_quoted(
    api: Client,
    series: Series,
    headers: dict[str, str],
    quote: str,
    bundle: dict[str, Any],
    rich: Purchase,
) -> None:
    unlock(api, episode(series, 11), headers, quote=quote)
    keyed = headers | {"Idempotency-Key": "rest"}
    with untouched():
        body = refused(unlock_rest(api, series, keyed, quote=bundle["quote"]), 409, "quote_invalid")
    assert (body["episode_count"], body["price_coins"]) == (3, 3 * BUNDLE_PRICE)

    # The key is as good as new, also for another body.
    then = unlock_rest(api, series, keyed, quote=body["quote"]).json()

    assert (then["outcome"], then["price_coins"]) == ("unlocked", 3 * BUNDLE_PRICE)


@pytest.mark.parametrize("what", ["withdrawn", "renumbered", "series"])
def test_where_one_cannot_be_had_any_more_nothing_moves(
    api: Client,
    series: Series,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    what: str,
) -> None:
    if what == "withdrawn":
        series.episodes.filter(number=12).update(state=Episode.State.WITHDRAWN)
    elif what == "renumbered":
        Series.objects.filter(id=series.id).update(numbering=series.numbering + 1)
    else:
        Series.objects.filter(id=series.id).update(state=Series.State.WITHDRAWN)
    with untouched():
        response = unlock_rest(api, series, headers, quote=bundle["quote"])

    if what == "series":
        refused(response, 404, "not_found")
    else:
        body = refused(response, 409, "quote_invalid")
        assert body["price_coins"] == BUNDLE_PRICE * (3 if what == "withdrawn" else 4)


def test_an_episode_that_came_since_is_no_part_of_what_was_quoted(
    api: Client, series: Series, headers: dict[str, str], bundle: dict[str, Any], rich: Purchase
) -> None:
    episodes_of(series, [13])

    body = unlock_rest(api, series, headers, quote=bundle["quote"]).json()

    assert body["price_coins"] == 4 * BUNDLE_PRICE
    assert states(api, series, headers)[13] == "locked"


def test_a_price_that_changed_since_is_not_what_is_charged(
    api: Client,
    series: Series,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    ways.sell(now, base_price_coins=90)

    body = unlock_rest(api, series, headers, quote=bundle["quote"]).json()

    assert body["price_coins"] == 4 * BUNDLE_PRICE


def test_too_few_coins_open_nothing_and_stay_too_few_for_the_key(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    now: datetime,
) -> None:
    fund(device.viewer_id, now=now, paid=167)
    keyed = headers | {"Idempotency-Key": "rest"}
    first = unlock_rest(api, series, keyed, quote=bundle["quote"])
    body = refused(first, 402, "insufficient_coins")
    assert (body["price_coins"], body["balance_coins"], body["shortfall_coins"]) == (168, 167, 1)
    assert body["offers"]
    fund(device.viewer_id, now=now, paid=1)

    with untouched():
        again = unlock_rest(api, series, keyed, quote=bundle["quote"])
    assert again.content == first.content
    assert not Unlock.objects.exists()
    assert unlock_rest(api, series, headers, quote=bundle["quote"]).status_code == 200


def test_a_covered_viewer_pays_nothing(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    give_cover(device.viewer_id, starts_at=now, ends_at=now + timedelta(days=30))

    body = unlock_rest(api, series, headers, quote=bundle["quote"]).json()

    assert (body["outcome"], body["price_coins"], body["balance"]["coins"]) == ("covered", 0, 500)
    assert Entitlement.objects.filter(cover__isnull=False).count() == 4
    with pytest.raises(KeyError):
        ways.option(api, series, headers, "bundle")


def test_a_cover_that_has_not_begun_covers_nothing(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    give_cover(device.viewer_id, starts_at=now + SECOND, ends_at=now + timedelta(days=30))

    assert unlock_rest(api, series, headers, quote=bundle["quote"]).json()["paid_coins"] == 168


def test_what_is_rented_is_not_in_it_and_is_locked_again_afterwards(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    rich: Purchase,
    now: datetime,
) -> None:
    rental = ways.option(api, series, headers, "rental")
    unlock(api, rental["episode_id"], headers, quote=rental["quote"])
    left = ways.option(api, series, headers, "bundle")
    assert left["episode_count"] == 3
    unlock_rest(api, series, headers, quote=left["quote"])

    after = viewer_headers(device, now=now + timedelta(hours=48))

    assert states(api, series, after) == {9: "locked", 10: "owned", 11: "owned", 12: "owned"}
    assert ways.option(api, series, after, "bundle")["episode_count"] == 1
    spent = sum(Unlock.objects.values_list("price_coins", flat=True))
    assert spent == RENTAL_PRICE + 3 * BUNDLE_PRICE


def test_a_promotion_that_makes_the_single_price_lower_caps_the_bundles(
    api: Client, series: Series, device: Device, headers: dict[str, str], now: datetime
) -> None:
    """Whatever adjusts a price, the rest is never dearer at once than one by one."""
    ways.sell(now - SECOND, bundle=Adjustment(price_coins=50))
    promotions.start(
        name="Sale",
        series_ids=[series.id],
        starts_at=now,
        ends_at=now + timedelta(days=1),
        adjustment=Adjustment(price_coins=30),
        now=now,
    )
    shown = ways.option(api, series, headers, "bundle")

    assert (shown["price_coins"], shown["price_coins_single"]) == (120, 120)


def test_a_refund_takes_back_unplayed_episodes_of_a_bundle_each_by_itself(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    bundle: dict[str, Any],
    now: datetime,
) -> None:
    bought = fund(device.viewer_id, now=now, paid=168)
    unlock_rest(api, series, headers, quote=bundle["quote"])
    assert ways.play(api, episode(series, 9), headers).status_code == 200  # and the next two

    refund(bought, now=now)

    assert states(api, series, headers) == {9: "owned", 10: "owned", 11: "owned", 12: "locked"}
    refund(bought, now=now + SECOND, is_reversed=True)
    assert states(api, series, headers)[12] == "owned"
    restored = Unlock.objects.latest("id")
    assert (restored.way, restored.number, restored.price_coins) == ("bundle", 12, BUNDLE_PRICE)


def test_no_bundle_is_offered_where_the_price_has_none(
    api: Client,
    series: Series,
    headers: dict[str, str],
    bundle: dict[str, Any],
    rich: Purchase,
    now: datetime,
) -> None:
    ways.sell(now, bundle=None)
    with pytest.raises(KeyError):
        ways.option(api, series, headers, "bundle")

    # What was quoted before is honoured; after that there is nothing to quote.
    assert unlock_rest(api, series, headers, quote="none of ours").json()["code"] == (
        "nothing_to_unlock"
    )
    assert unlock_rest(api, series, headers, quote=bundle["quote"]).json()["paid_coins"] == 168


class TestQuotes:
    def _quote(self, series: Series, device: Device, now: datetime, **changes: Any) -> str:
        shown = paywall.show(
            viewer_id=device.viewer_id, environment="production", series_id=series.id, now=now
        )
        quote = bundles.quote_for(shown)
        assert quote is not None
        made = {name: getattr(quote, name) for name in quote.__struct_fields__}
        return BundleQuote(**(made | changes)).token()

    def _refused(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        quote: str,
        code: str = "quote_invalid",
    ) -> None:
        with untouched():
            body = refused(unlock_rest(api, series, headers, quote=quote), 409, code)
        assert body["price_coins"] == 168

    def test_one_of_another_viewer(
        self, api: Client, series: Series, headers: dict[str, str], rich: Purchase, now: datetime
    ) -> None:
        self._refused(api, series, headers, self._quote(series, DeviceFactory(), now))

    def test_one_of_another_environment(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        rich: Purchase,
        now: datetime,
    ) -> None:
        quote = self._quote(series, device, now, environment=Environment.SANDBOX)
        self._refused(api, series, headers, quote)

    def test_one_of_another_series(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        rich: Purchase,
        now: datetime,
    ) -> None:
        other = SeriesFactory(state="published")
        episodes_of(other, range(1, 13))
        self._refused(api, series, headers, self._quote(other, device, now))

    def test_one_whose_total_is_not_what_its_prices_come_to(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        rich: Purchase,
        now: datetime,
    ) -> None:
        self._refused(api, series, headers, self._quote(series, device, now, total_coins=167))

    def test_one_that_expires_at_this_moment(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        rich: Purchase,
        now: datetime,
    ) -> None:
        ago = now - timedelta(seconds=settings.QUOTE_SECONDS)
        quote = self._quote(series, device, ago)
        self._refused(api, series, headers, quote, "quote_expired")

    def test_an_episodes_and_a_rentals_are_none(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        quote: str,
        bundle: dict[str, Any],
        rich: Purchase,
    ) -> None:
        rental = ways.option(api, series, headers, "rental")["quote"]
        for other in (quote, rental):
            self._refused(api, series, headers, other)
        with untouched():
            response = unlock(api, episode(series, 9), headers, quote=bundle["quote"])
            assert response.json()["code"] == "quote_invalid"

    def test_one_altered_in_any_place(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        bundle: dict[str, Any],
        rich: Purchase,
    ) -> None:
        token = bundle["quote"]
        for place in range(0, len(token), 19):
            other = "A" if token[place] != "A" else "B"
            self._refused(api, series, headers, token[:place] + other + token[place + 1 :])

    @pytest.mark.parametrize("content", [b"", b"\x90", b"{}", b"\x9d" + b"\xc0" * 13])
    def test_a_seal_over_nonsense(
        self, api: Client, series: Series, headers: dict[str, str], rich: Purchase, content: bytes
    ) -> None:
        self._refused(api, series, headers, seals.seal("bundle_quote", content))


def test_however_many_episodes_the_quote_is_small_and_names_each() -> None:
    numbers = [number for number in range(1, 10_001) if number % 3]
    made = BundleQuote(
        viewer_id=UUID(int=1),
        environment="production",
        series_id=UUID(int=2),
        numbering=1,
        price_version_id=UUID(int=3),
        arm="a" * 100,
        expires_at=2_000_000_000,
        adjustment_ids=(UUID(int=4),) * 3,
        way_adjustment_id=UUID(int=5),
        first_number=1,
        mask=sum(1 << (number - 1) for number in numbers).to_bytes(1250, "big"),
        total_coins=10**9,
    )
    assert made.numbers == numbers
    assert len(made.token()) < 2_500


def test_a_hundred_episodes_are_one_statement(
    api: Client,
    headers: dict[str, str],
    device: Device,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    default_plan()
    series = SeriesFactory(state="published")
    episodes_of(series, range(1, 109))
    fund(device.viewer_id, now=now, paid=100 * BUNDLE_PRICE)
    bundle = ways.option(api, series, headers, "bundle")

    with django_assert_max_num_queries(1):
        response = unlock_rest(
            api, series, headers, quote=bundle["quote"], confirmed_spend_coins=4200
        )

    assert (response.json()["price_coins"], len(response.json()["episodes"])) == (4200, 100)
    assert Transfer.objects.filter(code="unlock").count() == 100
