"""Nothing is charged without a tap but what the viewer has agreed to, and it can be taken back."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from catalog.models import Series
from payments.desk import promotions
from payments.models import AutoUnlockConsent, Lot, Purchase, Unlock, Wallet
from payments.prices.terms import Adjustment
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.payments import fund, give_bonus, give_cover
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments import ways
from tests.payments.calls import episode, refund, unlock
from tests.payments.untouched import untouched
from tests.payments.ways import RENTAL_PRICE, SINGLE_PRICE, agree, auto_unlock, undo
from tests.rows import digests
from viewers.models import Device

SECOND = timedelta(seconds=1)
CAP = 2 * SINGLE_PRICE + 10


@pytest.fixture(autouse=True)
def _sold(series: Series, now: datetime) -> None:
    ways.sell(now - timedelta(hours=1))


@pytest.fixture
def bought(device: Device, now: datetime) -> Purchase:
    return fund(device.viewer_id, now=now, paid=500)


@pytest.fixture
def agreed(
    api: Client, series: Series, headers: dict[str, str], quote: str, bought: Purchase
) -> HttpResponse:
    """The viewer has agreed to two episodes a day, and has the coins for eight."""
    return agree(api, series, headers, quote=quote, daily_cap_coins=CAP)


def refused(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    return body


def mine(api: Client, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/v1/me/auto-unlock", headers=headers).json()["series"]
    return found


class TestAgreeing:
    def test_it_is_off_until_the_viewer_agrees(
        self, api: Client, series: Series, headers: dict[str, str], bought: Purchase
    ) -> None:
        assert mine(api, headers) == []
        with untouched():
            refused(auto_unlock(api, episode(series, 9), headers), 409, "auto_unlock_off")

    def test_what_was_agreed_to_is_kept_and_told(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        told = {
            "series_id": str(series.id),
            "enabled": True,
            "daily_cap_coins": CAP,
            "spent_today_coins": 0,
            "agreed_at": "2026-03-14T12:00:00Z",
        }
        assert (agreed.status_code, agreed.json()) == (200, told)
        assert mine(api, headers) == [told]
        assert AutoUnlockConsent.objects.get().price_version.base_price_coins == SINGLE_PRICE

    def test_the_same_again_changes_nothing_and_another_cap_is_another_agreement(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        quote: str,
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        after = viewer_headers(device, now=now + SECOND)
        with untouched():
            agree(api, series, after, quote=quote, daily_cap_coins=CAP)

        agree(api, series, after, quote=quote, daily_cap_coins=CAP + 1)

        kept = AutoUnlockConsent.objects.order_by("id").values_list("daily_cap_coins", "ended_at")
        assert list(kept) == [(CAP, now + SECOND), (CAP + 1, None)]

    def test_ended_it_is_off_and_ending_it_twice_is_the_same(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        told = agree(api, series, headers, enabled=False).json()
        with untouched():
            assert agree(api, series, headers, enabled=False).json() == told
            refused(auto_unlock(api, episode(series, 9), headers), 409, "auto_unlock_off")
        assert (told["enabled"], mine(api, headers)) == (False, [])

    def test_it_is_for_one_series_and_one_viewer(
        self,
        api: Client,
        headers: dict[str, str],
        agreed: HttpResponse,
        series: Series,
        now: datetime,
    ) -> None:
        other = SeriesFactory(state="published")
        episodes_of(other, range(1, 13))
        stranger = DeviceFactory()
        fund(stranger.viewer_id, now=now)
        with untouched():
            refused(auto_unlock(api, episode(other, 9), headers), 409, "auto_unlock_off")
            theirs = viewer_headers(stranger, now=now)
            refused(auto_unlock(api, episode(series, 9), theirs), 409, "auto_unlock_off")

    @pytest.mark.parametrize("member", ["quote", "daily_cap_coins"])
    def test_agreeing_takes_a_quote_and_a_cap(
        self, api: Client, series: Series, headers: dict[str, str], quote: str, member: str
    ) -> None:
        terms: dict[str, Any] = {"quote": quote, "daily_cap_coins": CAP}
        del terms[member]
        with untouched():
            refused(agree(api, series, headers, **terms), 422, "auto_unlock_terms_missing")

    def test_the_quote_is_one_of_what_is_bought_for_good_there_and_now(
        self, api: Client, series: Series, headers: dict[str, str], device: Device, now: datetime
    ) -> None:
        other = SeriesFactory(state="published")
        episodes_of(other, range(1, 13))
        wrong = [
            ways.paywall(api, other, headers)["quote"],
            ways.option(api, series, headers, "rental")["quote"],
            ways.option(api, series, headers, "bundle")["quote"],
            "none of ours",
        ]
        for quote in wrong:
            with untouched():
                response = agree(api, series, headers, quote=quote, daily_cap_coins=CAP)
            new = refused(response, 409, "quote_invalid")["quote"]
        assert agree(api, series, headers, quote=new, daily_cap_coins=CAP).status_code == 200
        after = viewer_headers(device, now=now + timedelta(seconds=settings.QUOTE_SECONDS))
        refused(agree(api, series, after, quote=new, daily_cap_coins=CAP), 409, "quote_expired")

    def test_a_series_that_is_not_published_is_not_agreed_to(
        self, api: Client, series: Series, headers: dict[str, str], quote: str
    ) -> None:
        Series.objects.update(state=Series.State.WITHDRAWN)
        with untouched():
            refused(agree(api, series, headers, quote=quote, daily_cap_coins=CAP), 404, "not_found")


class TestCharging:
    def test_charges_what_the_episode_costs_and_says_until_when_it_can_be_taken_back(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        body = auto_unlock(api, episode(series, 9), headers, position_ms=7).json()

        assert (body["outcome"], body["price_coins"]) == ("unlocked", SINGLE_PRICE)
        assert body["undo_until"] == "2026-03-14T12:10:00Z"
        kept = Unlock.objects.get()
        assert (str(kept.id), kept.way, kept.position_ms) == (body["unlock_id"], "auto", 7)
        assert kept.consent == AutoUnlockConsent.objects.get()
        assert mine(api, headers)[0]["spent_today_coins"] == SINGLE_PRICE

    def test_what_is_open_free_or_covered_is_not_charged(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        quote: str,
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        unlock(api, episode(series, 9), headers, quote=quote)
        outcomes = [auto_unlock(api, episode(series, n), headers).json() for n in (9, 1)]
        give_cover(device.viewer_id, starts_at=now, ends_at=now + timedelta(days=1))
        outcomes.append(auto_unlock(api, episode(series, 10), headers).json())

        assert [one["outcome"] for one in outcomes] == ["already_unlocked", "free", "covered"]
        assert [(one["price_coins"], one["undo_until"]) for one in outcomes] == [(0, None)] * 3
        assert Unlock.objects.count() == 1

    def test_playing_never_charges(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        with untouched():
            assert ways.play(api, episode(series, 9), headers).status_code == 402

    def test_the_days_cap_holds_and_the_next_day_begins_anew(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        for number in (9, 10):
            assert auto_unlock(api, episode(series, number), headers).status_code == 200
        keyed = headers | {"Idempotency-Key": "eleven"}
        with untouched():
            body = refused(
                auto_unlock(api, episode(series, 11), keyed), 409, "auto_unlock_cap_reached"
            )
        assert (body["spent_today_coins"], body["daily_cap_coins"], body["price_coins"]) == (
            120,
            CAP,
            SINGLE_PRICE,
        )
        tomorrow = viewer_headers(device, now=now + timedelta(hours=12))

        # Its key was let go of: the same request is served when the day allows it.
        again = auto_unlock(api, episode(series, 11), tomorrow | {"Idempotency-Key": "eleven"})

        assert again.json()["outcome"] == "unlocked"

    def test_agreeing_anew_does_not_begin_the_day_anew(
        self, api: Client, series: Series, headers: dict[str, str], quote: str, agreed: HttpResponse
    ) -> None:
        for number in (9, 10):
            auto_unlock(api, episode(series, number), headers)
        agree(api, series, headers, enabled=False)
        agree(api, series, headers, quote=quote, daily_cap_coins=CAP)

        with untouched():
            refused(auto_unlock(api, episode(series, 11), headers), 409, "auto_unlock_cap_reached")

    def test_what_was_tapped_does_not_count_towards_the_cap(
        self, api: Client, series: Series, headers: dict[str, str], quote: str, agreed: HttpResponse
    ) -> None:
        for number in (9, 10):
            unlock(api, episode(series, number), headers, quote=quote)

        assert auto_unlock(api, episode(series, 11), headers).json()["outcome"] == "unlocked"

    def test_a_price_that_rose_is_asked_for_anew(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        ways.sell(now, base_price_coins=SINGLE_PRICE + 1)
        with untouched():
            body = refused(
                auto_unlock(api, episode(series, 9), headers), 409, "auto_unlock_price_rose"
            )
        assert (body["price_coins"], body["agreed_coins"]) == (SINGLE_PRICE + 1, SINGLE_PRICE)

        agree(api, series, headers, quote=body["quote"], daily_cap_coins=CAP)

        assert auto_unlock(api, episode(series, 9), headers).json()["price_coins"] == 61

    def test_a_price_that_fell_is_charged(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        promotions.start(
            name="Sale",
            series_ids=[series.id],
            starts_at=now,
            ends_at=now + timedelta(days=1),
            adjustment=Adjustment(scale_parts_per_million=500_000),
            now=now,
        )
        assert auto_unlock(api, episode(series, 9), headers).json()["price_coins"] == 30

    def test_too_few_coins_stay_too_few_for_the_key(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        quote: str,
        now: datetime,
    ) -> None:
        agree(api, series, headers, quote=quote, daily_cap_coins=CAP)
        keyed = headers | {"Idempotency-Key": "nine"}
        first = auto_unlock(api, episode(series, 9), keyed)
        assert refused(first, 402, "insufficient_coins")["shortfall_coins"] == SINGLE_PRICE
        fund(device.viewer_id, now=now, paid=500)

        assert auto_unlock(api, episode(series, 9), keyed).content == first.content

    def test_with_a_key_it_is_answered_as_before_even_when_it_was_ended_since(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        keyed = headers | {"Idempotency-Key": "nine"}
        first = auto_unlock(api, episode(series, 9), keyed)
        agree(api, series, headers, enabled=False)
        with untouched():
            again = auto_unlock(api, episode(series, 9), keyed)

        assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")

    def test_an_episode_that_is_not_there_is_not_charged(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        series.episodes.filter(number=9).update(state="withdrawn")
        with untouched():
            for one in (uuid4(), episode(series, 9)):
                refused(auto_unlock(api, one, headers), 404, "episode_unavailable")


class TestTakingBack:
    def test_everything_is_as_if_it_had_not_been(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        give_bonus(device.viewer_id, coins=25, now=now, expires_at=now + timedelta(days=1))
        before = list(Lot.objects.order_by("id").values())
        made = auto_unlock(api, episode(series, 9), headers).json()

        body = undo(api, made["unlock_id"], headers).json()

        assert (body["returned_coins"], body["bonus_coins"], body["paid_coins"]) == (60, 25, 35)
        assert body["balance"]["coins"] == 525
        assert list(Lot.objects.order_by("id").values()) == before
        assert ways.paywall(api, series, headers)["episodes"][8]["state"] == "locked"
        assert mine(api, headers)[0]["spent_today_coins"] == 0
        assert Wallet.objects.get().spent_coins == 0

    def test_twice_is_the_same(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        first = undo(api, made["unlock_id"], headers)
        with untouched():
            again = undo(api, made["unlock_id"], headers)

        assert (again.status_code, again.content) == (200, first.content)

    def test_what_was_taken_back_does_not_count_towards_the_cap_and_can_be_had_again(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        for number in (9, 10, 11, 12):
            made = auto_unlock(api, episode(series, number), headers).json()
            undo(api, made["unlock_id"], headers)

        assert auto_unlock(api, episode(series, 9), headers).json()["outcome"] == "unlocked"

    def test_once_played_it_is_not_taken_back(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        ways.play(api, episode(series, 9), headers)
        with untouched():
            body = refused(undo(api, made["unlock_id"], headers), 409, "undo_refused")
        assert body["reason"] == "played"

    @pytest.mark.parametrize(("late", "status"), [(timedelta(0), 200), (SECOND, 409)])
    def test_until_the_moment_that_was_said(
        self,
        api: Client,
        series: Series,
        device: Device,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
        late: timedelta,
        status: int,
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        at = now + timedelta(seconds=settings.AUTO_UNLOCK_UNDO_SECONDS) + late
        response = undo(api, made["unlock_id"], viewer_headers(device, now=at))

        assert response.status_code == status
        if status == 409:
            assert refused(response, 409, "undo_refused")["reason"] == "too_late"

    def test_what_was_tapped_is_not_taken_back(
        self, api: Client, series: Series, headers: dict[str, str], quote: str, bought: Purchase
    ) -> None:
        unlock(api, episode(series, 9), headers, quote=quote)
        with untouched():
            body = refused(undo(api, Unlock.objects.get().id, headers), 409, "undo_refused")
        assert body["reason"] == "not_automatic"

    def test_another_viewers_is_not_to_be_seen(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        agreed: HttpResponse,
        now: datetime,
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        with untouched():
            stranger = viewer_headers(DeviceFactory(), now=now)
            refused(undo(api, made["unlock_id"], stranger), 404, "not_found")
            refused(undo(api, uuid4(), headers), 404, "not_found")

    def test_what_a_refund_took_is_not_taken_back_again(
        self,
        api: Client,
        series: Series,
        headers: dict[str, str],
        agreed: HttpResponse,
        bought: Purchase,
        now: datetime,
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        refund(bought, now=now)
        with untouched():
            body = refused(undo(api, made["unlock_id"], headers), 409, "undo_refused")
        assert body["reason"] == "refunded"

    def test_the_statement_tells_both(
        self, api: Client, series: Series, headers: dict[str, str], agreed: HttpResponse
    ) -> None:
        made = auto_unlock(api, episode(series, 9), headers).json()
        undo(api, made["unlock_id"], headers)

        newest, older, *_ = api.get("/v1/me/wallet/entries", headers=headers).json()["entries"]

        assert (newest["code"], newest["cause"]["because"]) == ("unlock_reversal", "viewer")
        assert (older["code"], older["cause"]["way"]) == ("unlock", "auto")


def test_a_rented_episode_is_locked_again_and_then_charged_without_a_tap(
    api: Client,
    series: Series,
    device: Device,
    headers: dict[str, str],
    agreed: HttpResponse,
    now: datetime,
) -> None:
    rental = ways.option(api, series, headers, "rental")
    unlock(api, episode(series, 9), headers, quote=rental["quote"])
    assert auto_unlock(api, episode(series, 9), headers).json()["outcome"] == "already_unlocked"

    after = viewer_headers(device, now=now + timedelta(hours=48))

    assert auto_unlock(api, episode(series, 9), after).json()["outcome"] == "unlocked"
    assert Wallet.objects.get().spent_coins == SINGLE_PRICE
    assert sum(Unlock.objects.values_list("price_coins", flat=True)) == RENTAL_PRICE + SINGLE_PRICE
    assert digests(["payments"])["payments_unlock"][0] == 2
