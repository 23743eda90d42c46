"""GET /v1/me/wallet/entries: every movement of coins with its cause."""

from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Series
from payments import causes
from payments.chart import TransferCode
from payments.desk import grants
from payments.ledger import expiry
from payments.models import (
    Entitlement,
    GrantReason,
    Unlock,
)
from payments.statement_shapes import Cause
from payments.store import refunds
from tests.factories.operators import operator
from tests.factories.payments import fund, give_bonus, play
from tests.factories.viewers import DeviceFactory
from tests.payments.calls import episode, refund, unlock
from viewers.models import Device


def lines(api: Client, headers: Any) -> list[dict[str, Any]]:
    """The whole statement, newest first."""
    body = api.get("/v1/me/wallet/entries", {"limit": 100}, headers=headers).json()
    assert body["next_cursor"] is None
    found: list[dict[str, Any]] = body["entries"]
    return found


def test_explains_every_coin_newest_first(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=500, bonus=20)
    unlock(api, episode(series, 9), headers, quote=quote)

    body = api.get("/v1/me/wallet/entries", headers=headers).json()

    spent, topped_up = body["entries"]
    assert (spent["code"], spent["coins"], spent["paid_coins"], spent["bonus_coins"]) == (
        "unlock",
        -60,
        -40,
        -20,
    )
    assert (spent["paid_balance_after"], spent["bonus_balance_after"]) == (460, 0)
    assert (spent["episode_number"], spent["series_id"]) == (9, str(series.id))
    assert (topped_up["code"], topped_up["coins"]) == ("purchase", 520)
    assert topped_up["purchase_id"] == str(bought.id)
    assert body["next_cursor"] is None


def test_pages_through_without_repeating_or_missing_a_movement(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    for _ in range(5):
        fund(device.viewer_id, now=now, paid=10)
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = api.get(
            "/v1/me/wallet/entries", {"limit": 2, "cursor": cursor or ""}, headers=headers
        ).json()
        seen += [entry["transfer_id"] for entry in page["entries"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert len(seen) == len(set(seen)) == 5


def test_shows_nobody_elses_movements(api: Client, headers: Any, now: datetime) -> None:
    fund(DeviceFactory().viewer_id, now=now, paid=10)

    assert api.get("/v1/me/wallet/entries", headers=headers).json()["entries"] == []


@pytest.mark.parametrize("cursor", ["x", "====", "WyJ4Il0", "W10", "é", "bnVsbA"])
def test_refuses_a_cursor_it_did_not_issue(api: Client, headers: Any, cursor: str) -> None:
    response = api.get("/v1/me/wallet/entries", {"cursor": cursor}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "99999999999999999999"])
def test_refuses_a_limit_out_of_bounds(api: Client, headers: Any, limit: str) -> None:
    response = api.get("/v1/me/wallet/entries", {"limit": limit}, headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")


def test_takes_the_same_number_of_queries_for_a_full_page(
    api: Client, device: Device, headers: Any, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        fund(device.viewer_id, now=now, paid=10)

    with django_assert_max_num_queries(3):
        api.get("/v1/me/wallet/entries", {"limit": 30}, headers=headers)


def test_a_purchase_names_its_pack_and_store(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=500)

    (line,) = lines(api, headers)

    assert line["cause"] == {
        "kind": "purchase",
        "purchase_id": str(bought.id),
        "provider": "fake",
        "pack_code": bought.pack.code,
        "pack_title": "500 coins",
    }
    assert (line["debt_coins"], line["debt_balance_after"]) == (0, None)


def test_an_unlock_names_the_episode_by_its_number_of_then(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)
    series.episodes.filter(number=9).update(number=90)

    line = lines(api, headers)[0]

    assert line["cause"] == {
        "kind": "unlock",
        "unlock_id": str(Unlock.objects.get().id),
        "way": "single",
        "bundle_id": None,
        "series_id": str(series.id),
        "episode_id": str(episode(series, 90)),
        "number": 9,
        "restores_unlock_id": None,
    }


def test_a_refund_tells_what_it_undid_took_and_left_owed(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=500)
    for number in (9, 10):
        unlock(api, episode(series, number), headers, quote=quote)
    play(Entitlement.objects.filter(episode=episode(series, 9)), now=now)
    booked = refund(bought, now=now)

    took, undid, *_ = lines(api, headers)

    undone = Unlock.objects.get(episode=episode(series, 10))
    assert undid["cause"] == {
        "kind": "unlock_reversal",
        "unlock_id": str(undone.id),
        "series_id": str(series.id),
        "episode_id": str(undone.episode_id),
        "number": 10,
        "because": "refund",
    }
    assert (undid["coins"], undid["paid_balance_after"]) == (60, 440)
    assert took["cause"] == {
        "kind": "refund",
        "refund_id": str(booked.id),
        "purchase_id": str(bought.id),
        "provider": "fake",
        "pack_code": bought.pack.code,
        "origin": "store",
        "taken_coins": 440,
        "debt_coins": 60,
    }
    assert (took["coins"], took["debt_coins"]) == (-440, 60)
    assert (took["paid_balance_after"], took["debt_balance_after"]) == (0, 60)
    assert took["purchase_id"] == str(bought.id)


def test_a_refund_that_did_not_stand_shows_every_step_back(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=500)
    for number in (9, 10):
        unlock(api, episode(series, number), headers, quote=quote)
    play(Entitlement.objects.filter(episode=episode(series, 9)), now=now)
    undone = Unlock.objects.get(episode=episode(series, 10))
    refund(bought, now=now)
    refund(bought, now=now, is_reversed=True)

    restored, returned, *_ = lines(api, headers)

    assert restored["cause"]["restores_unlock_id"] == str(undone.id)
    assert (restored["code"], restored["coins"], restored["episode_number"]) == ("unlock", -60, 10)
    assert (returned["cause"]["returned_coins"], returned["cause"]["debt_coins"]) == (440, 60)
    assert (returned["coins"], returned["debt_coins"]) == (440, -60)
    assert returned["debt_balance_after"] == 0


def test_an_unlock_undone_by_an_operator_says_so(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    fund(device.viewer_id, now=now, paid=500)
    unlock(api, episode(series, 9), headers, quote=quote)
    refunds.undo_unlock(
        Unlock.objects.get(), operator_id=operator().id, reason="Wrong episode", now=now
    )

    line = lines(api, headers)[0]

    assert (line["code"], line["cause"]["because"]) == ("unlock_reversal", "operator")
    assert "Wrong episode" not in str(line)


def test_a_gift_says_why_it_was_given_and_what_came_back_of_it(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    grant_id, giver = uuid4(), operator().id
    grants.ask(
        grant_id=grant_id,
        viewer_id=device.viewer_id,
        gift=grants.CoinGift(coins=30),
        reason=GrantReason.FAULT,
        note="For the operators alone",
        operator_id=giver,
        now=now,
    )
    grants.revoke(grant_id=grant_id, operator_id=giver, now=now)

    taken, given = lines(api, headers)

    cause = {
        "grant_id": str(grant_id),
        "reason": "fault",
        "words": "Something of ours did not work",
    }
    assert given["cause"] == {"kind": "grant"} | cause
    assert taken["cause"] == {"kind": "grant_reversal"} | cause
    assert (given["bonus_coins"], taken["bonus_coins"]) == (30, -30)
    assert "operators alone" not in str([taken, given])


def test_a_reward_that_repays_a_debt_shows_both(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=60)
    unlock(api, episode(series, 9), headers, quote=quote)
    play(Entitlement.objects.all(), now=now)
    refund(bought, now=now)
    lot = give_bonus(device.viewer_id, coins=100, now=now)

    line = lines(api, headers)[0]

    assert lot is not None
    reference = lot.transfer.reference
    assert line["cause"] == {"kind": "reward", "reference": reference, "earned": None}
    assert (line["coins"], line["bonus_balance_after"]) == (40, 40)
    assert (line["debt_coins"], line["debt_balance_after"]) == (-60, 0)


def test_lapsed_coins_name_what_had_granted_them(
    api: Client, device: Device, headers: Any, now: datetime
) -> None:
    lapses_at = now + timedelta(days=7)
    lot = give_bonus(device.viewer_id, coins=30, now=now, expires_at=lapses_at)
    expiry.expire(now=now + timedelta(days=8))

    line = lines(api, headers)[0]

    assert lot is not None
    assert line["cause"] == {
        "kind": "expiry",
        "lot_id": str(lot.id),
        "origin": "reward",
        "granted_coins": 30,
        "granted_at": "2026-03-14T12:00:00Z",
        "expires_at": "2026-03-21T12:00:00Z",
    }
    assert (line["at"], line["coins"]) == ("2026-03-21T12:00:00Z", -30)


def test_returned_coins_that_repay_another_refunds_debt_say_so(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=120, price_micros=2_000_000)
    for number in (9, 10):
        unlock(api, episode(series, number), headers, quote=quote)
    play(Entitlement.objects.all(), now=now)
    for part in ("a", "b"):
        refund(bought, now=now, name=part, micros=1_000_000)
    give_bonus(device.viewer_id, coins=120, now=now)
    refund(bought, now=now, name="a", micros=1_000_000, is_reversed=True)

    line = lines(api, headers)[0]

    assert line["cause"] == {"kind": "repayment"}
    assert (line["coins"], line["debt_coins"], line["debt_balance_after"]) == (-60, -60, 0)


def test_every_code_of_the_chart_has_a_cause() -> None:
    told = {kind.__struct_config__.tag for kind in get_args(Cause)}

    assert told == set(causes._TELLERS) == set(TransferCode)


def test_takes_as_many_queries_for_every_cause_there_is(
    api: Client,
    series: Series,
    device: Device,
    headers: Any,
    quote: str,
    now: datetime,
    django_assert_max_num_queries: Any,
) -> None:
    giver = operator().id
    for number in (9, 10, 11):
        bought = fund(device.viewer_id, now=now, paid=60)
        unlock(api, episode(series, number), headers, quote=quote)
        refund(bought, now=now)
        refund(bought, now=now, is_reversed=True)
        give_bonus(device.viewer_id, coins=5, now=now, expires_at=now + timedelta(seconds=1))
        gift = {"grant_id": uuid4(), "operator_id": giver, "now": now}
        grants.ask(
            viewer_id=device.viewer_id,
            gift=grants.CoinGift(coins=5),
            reason=GrantReason.GOODWILL,
            note="A test",
            **gift,
        )
        grants.revoke(**gift)
    expiry.expire(now=now + timedelta(seconds=1))

    with django_assert_max_num_queries(4):
        found = lines(api, headers)

    assert {line["code"] for line in found} == {
        *("purchase", "unlock", "unlock_reversal", "refund", "refund_reversal"),
        *("grant", "grant_reversal", "reward", "expiry"),
    }
    assert all(line["cause"]["kind"] == line["code"] for line in found)
