"""Whatever is put where money is meant: a problem with a stable code, and no row of money changed."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from catalog.models import Episode, Series
from config import seals
from payments.access import paywall
from payments.models import Purchase, StoreProduct, StoreTerms
from payments.providers import registry
from payments.providers.fake.verifier import ALGORITHM, TYPE
from tests.factories.catalog import EpisodeFactory, SeriesFactory
from tests.factories.payments import PAST, StoreProductFactory, fund, give_bonus, signed_sale
from tests.factories.viewers import DeviceFactory, clock_headers, viewer_headers
from tests.payments.calls import episode, refund, submit, unlock
from tests.payments.untouched import untouched
from viewers.models import Device, Environment

#: As they go over the wire, in the place of a value.
NUMBERS: Mapping[str, str] = {
    "negative": "-1",
    "a fraction": "1.5",
    "a whole number as a fraction": "1.0",
    "an exponent": "1e3",
    "past every float": "1e400",
    "past 64 bits": str(2**63),
    "of 400 digits": "9" * 400,
    "NaN": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "with a leading zero": "007",
    "in hexadecimal": "0x10",
    "true": "true",
    "false": "false",
    "text": '"1"',
    "an exponent as text": '"1e3"',
    "NaN as text": '"NaN"',
    "an empty text": '""',
    "NUL": '"a\\u0000b"',
    "a lone surrogate": '"\\ud800"',
    "an array": "[1]",
    "an empty array": "[]",
    "an object": '{"amount": 1}',
}
#: What no text of a money field may be. `null` is a value to fields that may be left out.
TEXTS: Mapping[str, str] = {
    name: NUMBERS[name]
    for name in (
        *("negative", "a fraction", "NaN", "true", "an array", "an object", "an empty text"),
        *("NUL", "a lone surrogate"),
    )
} | {"zero": "0", "null": "null", "a long text": json.dumps("x" * 16_000)}


def refused(response: HttpResponse, status: int, code: str) -> None:
    """It is a problem with this status and code."""
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["status"] == status


@pytest.fixture
def product() -> StoreProduct:
    return StoreProductFactory()


class Moneyed:
    """A viewer with 500 coins in front of a locked episode, and a pack on sale."""

    def __init__(
        self,
        api: Client,
        series: Series,
        product: StoreProduct,
        device: Device,
        headers: dict[str, str],
        quote: str,
        now: datetime,
    ) -> None:
        self.api, self.series, self.product, self.device = api, series, product, device
        self.headers, self.quote, self.now = headers, quote, now
        self.bought = fund(device.viewer_id, now=now)
        self.locked = episode(series, 9)

    def post(self, url: str, body: str, **headers: str) -> HttpResponse:
        return self.api.post(url, body, "application/json", headers=self.headers | headers)

    def unlock(self, **changes: str) -> HttpResponse:
        members = {"quote": json.dumps(self.quote)} | changes
        body = ", ".join(f'"{name}": {value}' for name, value in members.items())
        return self.post(f"/v1/episodes/{self.locked}/unlock", f"{{{body}}}")

    def unlock_rest(self, **changes: str) -> HttpResponse:
        members = {"quote": json.dumps(self.quote)} | changes
        body = ", ".join(f'"{name}": {value}' for name, value in members.items())
        return self.post(f"/v1/series/{self.series.id}/unlock", f"{{{body}}}")

    def auto_unlock(self, **changes: str) -> HttpResponse:
        members = {"playback_session_id": "null"} | changes
        body = ", ".join(f'"{name}": {value}' for name, value in members.items())
        return self.post(f"/v1/episodes/{self.locked}/auto-unlock", f"{{{body}}}")

    def agree(self, **changes: str) -> HttpResponse:
        members = {
            "enabled": "true",
            "quote": json.dumps(self.quote),
            "daily_cap_coins": "100",
        } | changes
        body = ", ".join(f'"{name}": {value}' for name, value in members.items())
        return self.api.put(
            f"/v1/me/auto-unlock/{self.series.id}",
            f"{{{body}}}",
            "application/json",
            headers=self.headers,
        )

    def announce(self, **changes: str) -> HttpResponse:
        members = {"pack_id": f'"{self.product.pack_id}"', "provider": '"fake"'} | changes
        body = ", ".join(f'"{name}": {value}' for name, value in members.items())
        return self.post("/v1/purchases/intents", f"{{{body}}}")

    def submit(self, transaction: str) -> HttpResponse:
        return self.post("/v1/purchases/fake", f'{{"transaction": {transaction}}}')


@pytest.fixture
def moneyed(
    api: Client,
    series: Series,
    product: StoreProduct,
    device: Device,
    headers: dict[str, str],
    quote: str,
    now: datetime,
) -> Moneyed:
    return Moneyed(api, series, product, device, headers, quote, now)


class TestBodies:
    def test_a_position_is_a_whole_number_of_milliseconds(self, moneyed: Moneyed) -> None:
        for name in NUMBERS:
            with untouched():
                refused(moneyed.unlock(position_ms=NUMBERS[name]), 400, "malformed_body")

    def test_a_position_is_within_a_day(self, moneyed: Moneyed) -> None:
        with untouched():
            refused(moneyed.unlock(position_ms=str(24 * 3600 * 1000 + 1)), 400, "malformed_body")

    @pytest.mark.parametrize("operation", ["unlock", "unlock_rest"])
    def test_what_is_confirmed_is_a_whole_number_of_coins(
        self, moneyed: Moneyed, operation: str
    ) -> None:
        for value in [*NUMBERS.values(), str(10**12 + 1)]:
            with untouched():
                response = getattr(moneyed, operation)(confirmed_spend_coins=value)
                refused(response, 400, "malformed_body")

    def test_a_cap_is_a_whole_number_of_coins_within_bounds(self, moneyed: Moneyed) -> None:
        for value in [*NUMBERS.values(), "0", "1000001"]:
            with untouched():
                refused(moneyed.agree(daily_cap_coins=value), 400, "malformed_body")

    @pytest.mark.parametrize("member", ["enabled", "quote"])
    def test_an_agreements_other_members_are_what_they_are(
        self, moneyed: Moneyed, member: str
    ) -> None:
        for name, value in TEXTS.items():
            if (member, name) in {("enabled", "true"), ("quote", "null")}:
                continue
            with untouched():
                refused(moneyed.agree(**{member: value}), 400, "malformed_body")

    @pytest.mark.parametrize("member", ["quote", "playback_session_id"])
    def test_a_bundles_texts_are_texts(self, moneyed: Moneyed, member: str) -> None:
        for name in TEXTS:
            if (member, name) == ("playback_session_id", "null"):
                continue
            with untouched():
                refused(moneyed.unlock_rest(**{member: TEXTS[name]}), 400, "malformed_body")

    def test_a_position_without_a_tap_is_a_whole_number_of_milliseconds(
        self, moneyed: Moneyed
    ) -> None:
        for name in NUMBERS:
            with untouched():
                refused(moneyed.auto_unlock(position_ms=NUMBERS[name]), 400, "malformed_body")

    @pytest.mark.parametrize("member", ["quote", "playback_session_id"])
    def test_an_unlocks_texts_are_texts(self, moneyed: Moneyed, member: str) -> None:
        for name in TEXTS:
            if member == "playback_session_id" and name == "null":
                continue
            with untouched():
                refused(moneyed.unlock(**{member: TEXTS[name]}), 400, "malformed_body")

    @pytest.mark.parametrize("member", ["pack_id", "pass_id", "provider"])
    def test_an_intents_texts_are_texts(self, moneyed: Moneyed, member: str) -> None:
        for name in TEXTS:
            if member != "provider" and name == "null":
                continue
            with untouched():
                refused(moneyed.announce(**{member: TEXTS[name]}), 400, "malformed_body")

    def test_a_transaction_is_a_text(self, moneyed: Moneyed) -> None:
        for name in TEXTS:
            with untouched():
                response = moneyed.submit(TEXTS[name])
                assert response.json()["code"] in {"malformed_body", "transaction_invalid"}
                refused(response, response.status_code, response.json()["code"])

    @pytest.mark.parametrize("member", ["price_coins", "coins", "paid_coins", "amount_micros"])
    def test_no_body_names_a_price(self, moneyed: Moneyed, member: str) -> None:
        with untouched():
            refused(moneyed.unlock(**{member: "0"}), 400, "malformed_body")
            refused(moneyed.unlock_rest(**{member: "0"}), 400, "malformed_body")
            refused(moneyed.auto_unlock(**{member: "0"}), 400, "malformed_body")
            refused(moneyed.agree(**{member: "0"}), 400, "malformed_body")
            refused(moneyed.announce(**{member: "100000"}), 400, "malformed_body")

    def test_no_member_is_taken_twice(self, moneyed: Moneyed) -> None:
        other = json.dumps(moneyed.quote)
        with untouched():
            body = f'{{"quote": {other}, "quote": {other}}}'
            response = moneyed.post(f"/v1/episodes/{moneyed.locked}/unlock", body)
            refused(response, 400, "malformed_body")


def signed(moneyed: Moneyed, member: str, value: str) -> str:
    """The store's genuine signature over a payload with this JSON in the place of a member."""
    sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=moneyed.now)
    payload = jwt.decode(sale, options={"verify_signature": False}) | {member: "the place"}
    text = json.dumps(payload).replace('"the place"', value).encode()
    key = registry.fake_store(settings)._private_key
    return jwt.api_jws.encode(text, key, ALGORITHM, headers={"typ": TYPE})


class TestSignedPrices:
    """A store that signs nonsense is not believed either."""

    @pytest.mark.parametrize("member", ["price_micros", "purchased_at_ms"])
    def test_a_number_is_a_whole_one_that_can_be_booked(
        self, moneyed: Moneyed, member: str
    ) -> None:
        for name in [*NUMBERS, "null"]:
            sale = signed(moneyed, member, NUMBERS.get(name, name))

            with untouched():
                refused(moneyed.submit(json.dumps(sale)), 422, "transaction_invalid")

    @pytest.mark.parametrize(
        "member", ["transaction_id", "product_id", "account_token", "environment", "currency"]
    )
    def test_a_text_is_one_that_can_be_kept(self, moneyed: Moneyed, member: str) -> None:
        for name in [name for name in TEXTS if name != "a long text"]:
            sale = signed(moneyed, member, TEXTS[name])

            with untouched():
                response = moneyed.submit(json.dumps(sale))
                known = (
                    "product_unknown" if (member, name) == ("product_id", "an empty text") else None
                )
                refused(response, 422, known or "transaction_invalid")

    @pytest.mark.parametrize("price", [-(2**63), -1, 100_000_000_001, 2**62])
    def test_a_price_is_within_bounds(self, moneyed: Moneyed, price: int) -> None:
        sale = signed(moneyed, "price_micros", str(price))

        with untouched():
            refused(moneyed.submit(json.dumps(sale)), 422, "transaction_invalid")

    @pytest.mark.parametrize("years", [-50, -20, 1, 20, 5000])
    def test_a_sale_is_of_a_time_whose_terms_are_known(self, moneyed: Moneyed, years: int) -> None:
        """Else it would be booked without tax and fee."""
        StoreTerms.objects.create(
            provider="fake", effective_from=PAST, fee_parts_per_million=300_000
        )
        at_ms = int((moneyed.now + years * timedelta(days=365.25)).timestamp() * 1000)
        sale = signed(moneyed, "purchased_at_ms", str(at_ms))

        with untouched():
            refused(moneyed.submit(json.dumps(sale)), 422, "transaction_invalid")

    @pytest.mark.parametrize("minutes", [-5, 5])
    def test_a_store_whose_clock_is_some_minutes_off_is_believed(
        self, moneyed: Moneyed, minutes: int
    ) -> None:
        at = moneyed.now + timedelta(minutes=minutes)
        sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=at)

        assert moneyed.submit(json.dumps(sale)).status_code == 201

    def test_what_the_store_gave_away_is_booked_at_nothing(self, moneyed: Moneyed) -> None:
        """A promotion code: the only zero that money has."""
        sale = signed(moneyed, "price_micros", "0")

        assert moneyed.submit(json.dumps(sale)).status_code == 201
        assert Purchase.objects.latest("id").net_micros == 0

    def test_a_sandbox_sale_buys_nothing_in_production(
        self, moneyed: Moneyed, product: StoreProduct
    ) -> None:
        poor = DeviceFactory()
        headers = viewer_headers(poor, now=moneyed.now)
        sale = signed_sale(
            product, viewer_id=poor.viewer_id, now=moneyed.now, environment=Environment.SANDBOX
        )
        assert submit(moneyed.api, headers, sale).status_code == 201
        shown = paywall.show(
            viewer_id=poor.viewer_id,
            environment="production",
            series_id=moneyed.series.id,
            now=moneyed.now,
        )

        with untouched():
            response = unlock(moneyed.api, moneyed.locked, headers, quote=shown.quote.token())
            refused(response, 402, "insufficient_coins")

    def test_coins_of_production_buy_nothing_in_the_sandbox(self, moneyed: Moneyed) -> None:
        moneyed.device.viewer.environment = Environment.SANDBOX
        headers = viewer_headers(moneyed.device, now=moneyed.now)
        shown = paywall.show(
            viewer_id=moneyed.device.viewer_id,
            environment="sandbox",
            series_id=moneyed.series.id,
            now=moneyed.now,
        )

        with untouched():
            response = unlock(moneyed.api, moneyed.locked, headers, quote=shown.quote.token())
            refused(response, 402, "insufficient_coins")


#: Values of a query or a path, before they are encoded.
WORDS = (
    *("-1", "0", "1.5", "1e2", "1E400", "NaN", "Infinity", "true", "null", "0x10", " 5", "٣"),
    *("9" * 400, "a\x00b", "\x00", "[]", "1,2", "1;DROP TABLE payments_lot", "é"),
)


class TestAddresses:
    # "1e2" is the whole number 100 to a query string, as it is to JSON Schema.
    def test_a_limit_is_a_whole_number_within_bounds(self, moneyed: Moneyed) -> None:
        for value in [word for word in WORDS if word != "1e2"]:
            with untouched():
                response = moneyed.api.get(
                    "/v1/me/wallet/entries", {"limit": value}, headers=moneyed.headers
                )
                refused(response, 400, "bad_parameter")

    def test_a_cursor_is_one_of_ours(self, moneyed: Moneyed) -> None:
        for value in [*WORDS, "WzFd", "W10", "bnVsbA", "W251bGxd", "x" * 200]:
            with untouched():
                response = moneyed.api.get(
                    "/v1/me/wallet/entries", {"cursor": value}, headers=moneyed.headers
                )
                assert response.json()["code"] in {"cursor_invalid", "bad_parameter"}
                refused(response, 400, response.json()["code"])

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/episodes/{}/unlock",
            "/v1/episodes/{}/auto-unlock",
            "/v1/series/{}/unlock",
            "/v1/unlocks/{}/undo",
            "/v1/series/{}/paywall",
        ],
    )
    def test_an_id_in_a_path_is_one(self, moneyed: Moneyed, path: str) -> None:
        for value in WORDS:
            with untouched():
                url = path.format(value.replace("/", ""))
                call = moneyed.api.get if "paywall" in path else moneyed.api.post
                refused(call(url, headers=moneyed.headers), 404, "not_found")

    @pytest.mark.parametrize("value", ["Fake", "FAKE", "fake-", "0", "-1", "null", "apple"])
    def test_a_store_in_a_path_is_one_that_sells(self, moneyed: Moneyed, value: str) -> None:
        sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=moneyed.now)
        with untouched():
            body = json.dumps({"transaction": sale})
            refused(moneyed.post(f"/v1/purchases/{value}", body), 404, "provider_unknown")

    @pytest.mark.matrix(3)
    @pytest.mark.parametrize(
        "key", ["", " " * 101, "k" * 101, "a\x00b", "a\x7f", "a\nb", "é", "\ud800", "🪙"]
    )
    @pytest.mark.parametrize(
        "operation", ["unlock", "unlock_rest", "auto_unlock", "announce", "submit"]
    )
    def test_a_key_is_a_hundred_printable_characters(
        self, moneyed: Moneyed, operation: str, key: str
    ) -> None:
        moneyed.headers = moneyed.headers | {"Idempotency-Key": key}
        sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=moneyed.now)
        arguments = [json.dumps(sale)] if operation == "submit" else []
        with untouched():
            response = getattr(moneyed, operation)(*arguments)
            refused(response, 400, "idempotency_key_invalid")


def _altered(token: str, place: int) -> str:
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


class TestQuotes:
    def _quote(self, moneyed: Moneyed, **whose: Any) -> str:
        made_for: dict[str, Any] = {
            "viewer_id": moneyed.device.viewer_id,
            "environment": "production",
            "series_id": moneyed.series.id,
            "now": moneyed.now,
        }
        return paywall.show(**made_for | whose).quote.token()

    def _refused(self, moneyed: Moneyed, quote: str, code: str = "quote_invalid") -> None:
        with untouched():
            response = moneyed.unlock(quote=json.dumps(quote))
            refused(response, 409, code)
        assert response.json()["price_coins"] == 60

    def test_another_viewers(self, moneyed: Moneyed) -> None:
        self._refused(moneyed, self._quote(moneyed, viewer_id=DeviceFactory().viewer_id))

    def test_another_series(self, moneyed: Moneyed) -> None:
        other = SeriesFactory(state="published")
        self._refused(moneyed, self._quote(moneyed, series_id=other.id))

    def test_another_environments(self, moneyed: Moneyed) -> None:
        self._refused(moneyed, self._quote(moneyed, environment="sandbox"))

    def test_one_that_expires_at_this_moment(self, moneyed: Moneyed) -> None:
        ago = moneyed.now - timedelta(seconds=settings.QUOTE_SECONDS)
        self._refused(moneyed, self._quote(moneyed, now=ago), "quote_expired")

    def test_one_of_years_ago(self, moneyed: Moneyed) -> None:
        StoreProductFactory()
        quote = self._quote(moneyed)
        later = moneyed.now + timedelta(days=3 * 365)
        moneyed.headers = viewer_headers(moneyed.device, now=later)
        self._refused(moneyed, quote, "quote_expired")

    def test_one_altered_in_any_place(self, moneyed: Moneyed) -> None:
        for place in range(0, len(moneyed.quote), 7):
            self._refused(moneyed, _altered(moneyed.quote, place))

    @pytest.mark.parametrize("purpose", ["access", "clock", "playback"])
    def test_a_seal_of_another_purpose(self, moneyed: Moneyed, purpose: str) -> None:
        self._refused(moneyed, seals.seal(purpose, seals.unseal("quote", moneyed.quote)))

    @pytest.mark.parametrize("content", [b"", b"\x90", b"{}", b"\xff" * 40, b"\x97" + b"\xc0" * 7])
    def test_a_seal_over_nonsense(self, moneyed: Moneyed, content: bytes) -> None:
        self._refused(moneyed, seals.seal("quote", content))

    def test_one_from_before_the_episodes_were_numbered_anew(self, moneyed: Moneyed) -> None:
        Series.objects.update(numbering=moneyed.series.numbering + 1)
        self._refused(moneyed, moneyed.quote)


class TestEpisodes:
    def _refused(self, moneyed: Moneyed) -> None:
        with untouched():
            refused(moneyed.unlock(), 404, "episode_unavailable")

    def test_one_that_is_not_there(self, moneyed: Moneyed) -> None:
        moneyed.locked = uuid4()
        self._refused(moneyed)

    @pytest.mark.parametrize("state", ["draft", "withdrawn"])
    def test_one_that_is_not_published(self, moneyed: Moneyed, state: str) -> None:
        Episode.objects.filter(id=moneyed.locked).update(state=state)
        self._refused(moneyed)

    @pytest.mark.parametrize("state", ["draft", "withdrawn"])
    def test_one_of_a_series_that_is_not_published(self, moneyed: Moneyed, state: str) -> None:
        Series.objects.update(state=state)
        self._refused(moneyed)

    def test_one_of_a_series_that_the_quote_is_not_for(self, moneyed: Moneyed) -> None:
        other = SeriesFactory(state="published")
        moneyed.locked = EpisodeFactory(series=other, number=9).id
        with untouched():
            refused(moneyed.unlock(), 409, "quote_invalid")


class TestClocks:
    """Whatever the moment of a request, it pays once at most, for what was promised."""

    @pytest.mark.parametrize("minutes", [-5, 5])
    def test_some_minutes_off(self, moneyed: Moneyed, minutes: int) -> None:
        """The token is of now: behind it, it is from the future; ahead of it, it is good."""
        moneyed.headers = moneyed.headers | clock_headers(moneyed.now + timedelta(minutes=minutes))
        if minutes > 0:
            assert moneyed.unlock().json()["paid_coins"] == 60
        with untouched():
            response = moneyed.unlock()
            if minutes > 0:
                assert response.json()["outcome"] == "already_unlocked"
            else:
                refused(response, 401, "token_invalid")

    @pytest.mark.parametrize(
        ("years", "code"), [(-3, "token_invalid"), (-50, "token_invalid"), (3, "token_expired")]
    )
    def test_years_off(self, moneyed: Moneyed, years: int, code: str) -> None:
        moneyed.headers = moneyed.headers | clock_headers(moneyed.now + timedelta(days=365 * years))
        sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=moneyed.now)
        with untouched():
            for response in (
                moneyed.unlock(),
                moneyed.announce(),
                moneyed.submit(json.dumps(sale)),
            ):
                refused(response, 401, code)

    @pytest.mark.parametrize("header", ["", "now", "2026-03-14T12:00:00Z", "MjAyNg.demo1.x"])
    def test_one_that_nobody_signed(self, moneyed: Moneyed, header: str) -> None:
        moneyed.headers = moneyed.headers | {"X-Clock": header}
        with untouched():
            refused(moneyed.unlock(), 400, "clock_refused")


class TestReplaysAfterARefund:
    KEY: Mapping[str, str] = {"Idempotency-Key": "first"}

    def _told(self, moneyed: Moneyed) -> HttpResponse:
        body = json.dumps({"quote": moneyed.quote})
        return moneyed.post(f"/v1/episodes/{moneyed.locked}/unlock", body, **self.KEY)

    def test_the_unlock_is_answered_as_before(self, moneyed: Moneyed) -> None:
        first = self._told(moneyed)
        refund(moneyed.bought, now=moneyed.now)

        with untouched():
            again = self._told(moneyed)

        assert first.json()["outcome"] == "unlocked"
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"

    def test_without_its_key_there_is_nothing_to_pay_with(self, moneyed: Moneyed) -> None:
        self._told(moneyed)
        refund(moneyed.bought, now=moneyed.now)

        with untouched():
            refused(moneyed.unlock(), 402, "insufficient_coins")

    def test_the_transaction_credits_nothing(self, moneyed: Moneyed) -> None:
        sale = signed_sale(moneyed.product, viewer_id=moneyed.device.viewer_id, now=moneyed.now)
        first = moneyed.submit(json.dumps(sale)).json()
        refund(Purchase.objects.get(id=first["purchase_id"]), now=moneyed.now)

        with untouched():
            again = moneyed.submit(json.dumps(sale))

        assert (again.status_code, again.json()) == (200, first | {"credited_now": False})

    def test_a_refund_told_twice_takes_nothing_more(self, moneyed: Moneyed) -> None:
        give_bonus(moneyed.device.viewer_id, coins=30, now=moneyed.now)
        refund(moneyed.bought, now=moneyed.now)

        with untouched():
            refund(moneyed.bought, now=moneyed.now)
