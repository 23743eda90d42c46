"""What a promo code gives, how often, and how many wrong ones anybody may try."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from catalog.models import Series
from payments.chart import LotOrigin
from payments.desk import promos
from payments.desk.promos import CodeTerms
from payments.ledger import expiry
from payments.models import (
    Lot,
    PromoAttempt,
    PromoBatch,
    PromoCode,
    PromoRedemption,
    Transfer,
    Unlock,
    Wallet,
)
from payments.store import promo_codes
from payments.support import lineage
from payments.support.explanations import PromoSource
from tests.factories.operators import operator
from tests.factories.payments import PAST, PromoCodeFactory, fund
from tests.factories.viewers import DeviceFactory, viewer_headers
from tests.payments.calls import episode, movements, refund, unlock
from viewers.models import Device

FIRST_DAY = timedelta(hours=11, minutes=59, seconds=59)  # of the fixture's noon to its last second


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.PROMO_WRONG_PER_VIEWER = 3
    settings.PROMO_WRONG_PER_ADDRESS = 5


@pytest.fixture
def promo(db: None) -> PromoCode:
    return PromoCodeFactory(code="PREMIERE2026", bonus_coins=120, maximum_redemptions=10)


def redeem(api: Client, device: Device, code: Any, now: datetime, **extra: Any) -> HttpResponse:
    """POST /v1/promo-codes/redeem."""
    return api.post(
        "/v1/promo-codes/redeem",
        {"code": code},
        "application/json",
        headers=viewer_headers(device, now=now),
        **extra,
    )


def refusal(answer: HttpResponse) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_code_gives_its_coins(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    answer = redeem(api, device, "PREMIERE2026", now)

    assert answer.status_code == 201
    redemption = PromoRedemption.objects.get()
    assert answer.json() == {
        "redemption_id": str(redemption.id),
        "code": "PREMIERE2026",
        "coins": 120,
        "coins_expire_at": None,
        "redeemed_now": True,
        "balance": {"coins": 120, "paid_coins": 0, "bonus_coins": 120},
    }
    lot = Lot.objects.get()
    assert (lot.origin, lot.kind, lot.value_micros) == (LotOrigin.PROMO, "bonus", 0)
    assert (lot.transfer_id, lot.expires_at) == (redemption.transfer_id, None)
    promo.refresh_from_db()
    assert (promo.redeemed_count, promo.sandbox_redeemed_count) == (1, 0)


@pytest.mark.parametrize(
    "typed",
    ["premiere2026", " Premiere-2026 ", "PREM-IERE-2026", "PREM1ERE2O26", "PREMlERE2026"],
)
def test_case_spaces_hyphens_and_letters_that_look_alike_do_not_matter(
    api: Client, promo: PromoCode, device: Device, now: datetime, typed: str
) -> None:
    answer = redeem(api, device, typed, now)

    assert (answer.status_code, answer.json()["code"]) == (201, "PREMIERE2026")


def test_the_same_viewer_again_is_answered_the_same_and_given_nothing_more(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    first = redeem(api, device, promo.code, now)
    before = movements()
    PromoCode.objects.update(is_active=False, ends_at=now, maximum_redemptions=1)

    again = redeem(api, device, promo.code, now + timedelta(hours=1))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"redeemed_now": False}
    assert movements() == before


def test_coins_lapse_as_long_after_as_the_code_says(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    week = timedelta(days=7)
    PromoCodeFactory(code="WEEK", coins_expire_after_seconds=7 * 24 * 3600)

    answer = redeem(api, device, "WEEK", now)

    assert datetime.fromisoformat(answer.json()["coins_expire_at"]) == now + week
    assert expiry.expire(now=now + week) == 1
    assert Wallet.objects.get().bonus_coins == 0


def test_coins_of_a_code_repay_a_debt_first(
    api: Client, promo: PromoCode, device: Device, series: Series, quote: str, now: datetime
) -> None:
    bought = fund(device.viewer_id, now=now, paid=60, price_micros=600_000)
    headers = viewer_headers(device, now=now)
    unlock(api, episode(series, 9), headers, quote=quote)
    api.post(f"/v1/episodes/{episode(series, 9)}/play", headers=headers)
    refund(bought, now=now)
    owed = -Wallet.objects.get().debt_coins
    answer = redeem(api, device, promo.code, now)

    assert answer.json()["coins"] == 120
    assert answer.json()["balance"]["coins"] == 120 - owed
    assert owed == 60
    assert Wallet.objects.get().debt_coins == 0


def test_the_statement_and_the_lineage_name_the_code(
    api: Client, promo: PromoCode, device: Device, series: Series, quote: str, now: datetime
) -> None:
    redemption_id = redeem(api, device, promo.code, now).json()["redemption_id"]
    headers = viewer_headers(device, now=now)

    (line,) = api.get("/v1/me/wallet/entries", headers=headers).json()["entries"]
    unlock(api, episode(series, 9), headers, quote=quote)

    assert (line["code"], line["coins"]) == ("promo", 120)
    assert line["cause"] == {
        "kind": "promo",
        "redemption_id": redemption_id,
        "promo_code": "PREMIERE2026",
    }
    spent = Unlock.objects.select_related("price_version__plan")
    (cause,) = lineage.of_unlocks(list(spent), now).causes.values()
    (lot,) = cause.lots
    assert isinstance(lot.source, PromoSource)
    assert (str(lot.source.redemption_id), cause.value_micros) == (redemption_id, 0)


# --- What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"is_active": False}, (422, "promo_code_unknown")),
        ({"starts_at": PAST + timedelta(days=365)}, (422, "promo_code_unknown")),
        ({"ends_at": PAST + timedelta(days=1)}, (409, "promo_code_over")),
        ({"maximum_redemptions": 1, "redeemed_count": 1}, (409, "promo_code_used_up")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_code_that_cannot_be_redeemed_gives_nothing(
    api: Client,
    device: Device,
    now: datetime,
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    is_used_up = changes.pop("redeemed_count", 0)
    PromoCodeFactory(code="CODE", **changes)
    if is_used_up:
        redeem(api, DeviceFactory(), "CODE", now)
    before = movements()

    assert refusal(redeem(api, device, "CODE", now)) == expected

    assert movements() == before


def test_a_code_begins_and_ends_to_the_microsecond(
    api: Client, promo: PromoCode, now: datetime
) -> None:
    PromoCode.objects.update(starts_at=now, ends_at=now + timedelta(hours=1))
    instant = timedelta(microseconds=1)

    def told(moment: datetime) -> int:
        return redeem(api, DeviceFactory(), promo.code, moment).status_code

    end = now + timedelta(hours=1)
    assert [told(m) for m in (now - instant, now, end - instant, end)] == [422, 201, 201, 409]


def test_one_that_is_switched_off_is_told_like_one_that_never_was(
    api: Client, promo: PromoCode, now: datetime
) -> None:
    PromoCode.objects.update(is_active=False)
    never, off = (redeem(api, DeviceFactory(), code, now) for code in ("NOTHING", promo.code))

    assert never.content == off.content
    assert never.status_code == off.status_code


@pytest.mark.parametrize(
    "typed",
    ["ABC", "A" * 33, "PREMIERE_2026", "\u017fecret", "\uff30REMIERE", "'; --", "%", "\u2167"],
)
def test_what_cannot_be_a_code_is_unknown(
    api: Client, promo: PromoCode, device: Device, now: datetime, typed: str
) -> None:
    assert refusal(redeem(api, device, typed, now)) == (422, "promo_code_unknown")
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("typed", ["", "A" * 101, 1, 1.5, True, None, [], {}], ids=repr)
def test_what_is_no_text_of_a_codes_length_is_malformed(
    api: Client, promo: PromoCode, device: Device, now: datetime, typed: Any
) -> None:
    assert refusal(redeem(api, device, typed, now)) == (400, "malformed_body")
    assert not PromoAttempt.objects.exists()


def test_testers_redeem_in_the_sandbox_and_use_nothing_up(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    PromoCode.objects.update(maximum_redemptions=1)
    tester = DeviceFactory(viewer__environment="sandbox")

    assert redeem(api, tester, promo.code, now).status_code == 201
    assert redeem(api, device, promo.code, now).status_code == 201
    assert refusal(redeem(api, DeviceFactory(), promo.code, now)) == (409, "promo_code_used_up")
    promo.refresh_from_db()
    assert (promo.redeemed_count, promo.sandbox_redeemed_count) == (1, 1)


# --- Guessing ----------------------------------------------------------------------------------


def guesses(api: Client, device: Device, now: datetime, count: int, **extra: Any) -> list[str]:
    return [
        redeem(api, device, f"WRONG{number}", now, **extra).json()["code"]
        for number in range(count)
    ]


def test_after_some_wrong_codes_a_right_one_is_refused_too_until_the_next_day(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    assert guesses(api, device, now, 4) == ["promo_code_unknown"] * 3 + ["too_many_attempts"]

    refused = redeem(api, device, promo.code, now)

    assert refusal(refused) == (429, "too_many_attempts")
    assert refused.headers["Retry-After"] == str(12 * 3600 + 1)
    assert not Transfer.objects.exists()
    assert redeem(api, device, promo.code, now + FIRST_DAY).status_code == 429
    assert redeem(api, device, promo.code, now + timedelta(hours=12)).status_code == 201


def test_an_address_has_a_limit_whoever_guesses_from_it(
    api: Client, promo: PromoCode, now: datetime
) -> None:
    there = {"REMOTE_ADDR": "203.0.113.7"}
    told = [guesses(api, DeviceFactory(), now, 1, **there) for _ in range(6)]

    assert told == [["promo_code_unknown"]] * 5 + [["too_many_attempts"]]
    assert redeem(api, DeviceFactory(), promo.code, now, **there).status_code == 429
    assert (
        redeem(api, DeviceFactory(), promo.code, now, REMOTE_ADDR="203.0.113.8").status_code == 201
    )


def test_addresses_of_one_ipv6_network_are_one(
    api: Client, promo: PromoCode, now: datetime
) -> None:
    told = [
        guesses(api, DeviceFactory(), now, 1, REMOTE_ADDR=f"2001:db8::{n}")[0] for n in range(1, 7)
    ]

    assert told[-1] == "too_many_attempts"


def test_right_codes_are_not_counted(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    for _ in range(8):
        assert redeem(api, device, promo.code, now).status_code in {200, 201}
    assert set(PromoAttempt.objects.values_list("wrong_count", flat=True)) == {0}


@pytest.mark.parametrize(
    ("proxies", "forwarded"),
    [
        (0, "198.51.100.{n}"),
        (1, "198.51.100.{n}, 203.0.113.7"),
        (2, "198.51.100.{n}, 203.0.113.7, 10.0.0.1"),
    ],
)
def test_an_address_that_a_caller_made_up_gives_no_more_guesses(
    api: Client,
    promo: PromoCode,
    now: datetime,
    settings: Settings,
    proxies: int,
    forwarded: str,
) -> None:
    settings.PROXIES_IN_FRONT = proxies
    told = [
        guesses(api, DeviceFactory(), now, 1, HTTP_X_FORWARDED_FOR=forwarded.format(n=number))[0]
        for number in range(6)
    ]

    assert told[-2:] == ["promo_code_unknown", "too_many_attempts"]


def test_behind_a_proxy_each_caller_has_a_limit_of_their_own(
    api: Client, promo: PromoCode, now: datetime, settings: Settings
) -> None:
    settings.PROXIES_IN_FRONT = 1
    for number in range(8):
        where = {"HTTP_X_FORWARDED_FOR": f"203.0.113.{number}"}
        assert guesses(api, DeviceFactory(), now, 1, **where) == ["promo_code_unknown"]


def test_counts_name_nobody_and_are_deleted_the_next_day(
    api: Client, promo: PromoCode, device: Device, now: datetime
) -> None:
    guesses(api, device, now, 1)

    rows = list(PromoAttempt.objects.values_list("subject", "day"))
    assert [(len(subject), day) for subject, day in rows] == [(64, date(2026, 3, 14))] * 2
    assert promo_codes.prune(now=now + FIRST_DAY) == 0
    assert promo_codes.prune(now=now + timedelta(hours=12)) == 2
    assert not PromoAttempt.objects.exists()


# --- What no code can be, and codes that are made ----------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"bonus_coins": 0},
        {"bonus_coins": -1},
        {"bonus_coins": 1_000_001},
        {"maximum_redemptions": 0},
        {"maximum_redemptions": 100_000_001},
        {"coins_expire_after_seconds": 0},
        {"coins_expire_after_seconds": 366 * 24 * 3600 * 11},
        {"ends_at": PAST},
        {"code": "abcd"},
        {"code": "ABC"},
        {"code": "AB CD"},
        {"code": "ABCD\n"},
        {"redeemed_count": 101},
        {"code": "PREM1ERE2O26"},
        {"code": "PREMIERE2026"},
    ],
    ids=str,
)
def test_the_database_refuses_what_no_code_can_be(
    promo: PromoCode, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PromoCodeFactory(**changes)


def test_codes_made_at_once_are_all_different_and_each_redeemed_once(
    api: Client, db: None, now: datetime, settings: Settings
) -> None:
    settings.PROMO_SOLO_COINS = 1001 * 30
    terms = CodeTerms(bonus_coins=30, coins_expire_after_seconds=3600, starts_at=now, ends_at=None)
    made = promos.generate(
        name="Fair",
        prefix="FAIR",
        count=1001,
        terms=terms,
        operator_id=operator("maker").id,
        now=now,
    )

    codes = list(PromoBatch.objects.get(id=made.id).codes.values_list("code", flat=True))
    assert len({promo_codes.folded(code) for code in codes}) == 1001
    for code in codes:
        assert code.startswith("FAIR")
        assert set(code[4:]) <= set(promos.ALPHABET)
        assert len(code) == 4 + 16
    typed = promo_codes.grouped(codes[0]).lower()
    assert redeem(api, DeviceFactory(), typed, now).json()["coins"] == 30
    assert refusal(redeem(api, DeviceFactory(), typed, now)) == (409, "promo_code_used_up")
