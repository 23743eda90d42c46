"""Operators make promo codes alone up to a limit a day, and beyond it with a second person's word."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from payments.desk import promos
from payments.desk.promos import CodeTerms, NothingWaits, SamePerson
from payments.models import PromoCode, PromoRedemption
from payments.store import promo_codes
from payments.store.promo_codes import PromoCodeUnknown
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import DeviceFactory, clock_headers

CODES = "/admin/payments/promocode/"
BATCHES = "/admin/payments/promobatch/"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _limit(settings: Settings, db: None) -> None:
    settings.PROMO_SOLO_COINS = 1000


@pytest.fixture
def olga() -> User:
    return operator("olga", role="pricing")


@pytest.fixture
def piet() -> User:
    return operator("piet", role="pricing")


def make(who: User, code: str, now: datetime, *, coins: int = 50, times: int = 20) -> PromoCode:
    made = PromoCode(
        code=code, name=code, bonus_coins=coins, maximum_redemptions=times, starts_at=now
    )
    promos.make(made, operator_id=who.id, now=now)
    return made


def batch_of(who: User, count: int, now: datetime) -> list[PromoCode]:
    terms = CodeTerms(bonus_coins=100, coins_expire_after_seconds=None, starts_at=now, ends_at=None)
    made = promos.generate(
        name="Fair", prefix="", count=count, terms=terms, operator_id=who.id, now=now
    )
    return list(made.codes.order_by("id"))


def redeem(code: PromoCode, now: datetime) -> int:
    return promo_codes.redeem(
        viewer_id=DeviceFactory().viewer_id,
        environment="production",
        typed=code.code,
        address=None,
        now=now,
    ).coins


def test_what_one_person_may_let_codes_give_is_redeemed_at_once(olga: User, now: datetime) -> None:
    code = make(olga, "THOUSAND", now)

    assert not code.is_waiting
    assert redeem(code, now) == 50


def test_beyond_it_a_code_redeems_nothing_until_somebody_else_agrees(
    olga: User, piet: User, now: datetime
) -> None:
    code = make(olga, "THOUSANDFIFTY", now, times=21)

    assert code.is_waiting
    with pytest.raises(PromoCodeUnknown):
        redeem(code, now)
    assert promos.agree([code.id], operator_id=piet.id, now=now) == [code]
    assert redeem(code, now) == 50
    code.refresh_from_db()
    assert (code.asked_by, code.agreed_by, code.agreed_at) == (olga, piet, now)


def test_nobody_is_their_own_second_person(olga: User, piet: User, now: datetime) -> None:
    own, other = make(olga, "OWNCODE", now, times=21), make(piet, "OTHER", now, times=21)

    with pytest.raises(SamePerson, match="somebody else has to agree"):
        promos.agree([own.id, other.id], operator_id=olga.id, now=now)
    assert PromoCode.objects.filter(agreed_by=None).count() == 2
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        PromoCode.objects.filter(id=own.id).update(agreed_by=olga, agreed_at=now)


def test_what_does_not_wait_cannot_be_agreed_to(olga: User, piet: User, now: datetime) -> None:
    small, large = make(olga, "SMALL", now), make(olga, "LARGE", now, times=21)
    promos.agree([large.id], operator_id=piet.id, now=now)

    with pytest.raises(NothingWaits):
        promos.agree([small.id, large.id], operator_id=piet.id, now=now)


def test_many_small_codes_of_a_day_count_together(olga: User, piet: User, now: datetime) -> None:
    first = [make(olga, f"SMALL{number}", now, times=5) for number in range(5)]
    PromoCode.objects.filter(id=first[0].id).update(is_active=False)

    assert [code.is_waiting for code in first] == [False] * 4 + [True]
    assert not make(piet, "PIETS", now).is_waiting
    assert promos.left_today_coins(operator_id=olga.id, now=now) == 0
    assert not make(olga, "TOMORROW", now + DAY).is_waiting


def test_a_batch_counts_with_all_of_its_codes_and_is_agreed_to_as_one(
    olga: User, piet: User, now: datetime
) -> None:
    assert not any(code.is_waiting for code in batch_of(olga, 10, now))
    codes = batch_of(piet, 11, now)
    assert all(code.is_waiting for code in codes)
    with pytest.raises(PromoCodeUnknown):
        redeem(codes[0], now)

    ids = [code.id for code in codes]
    assert promos.agree(ids, operator_id=olga.id, now=now) == codes
    assert redeem(codes[10], now) == 100


def test_to_let_a_code_be_redeemed_more_often_is_to_ask_anew(
    olga: User, piet: User, now: datetime
) -> None:
    code = make(olga, "CODE", now, times=10)
    for times, is_waiting in ((20, False), (19, False), (21, True), (1, True)):
        code.maximum_redemptions = times
        fields = ["maximum_redemptions"]
        promos.change(code, fields=fields, operator_id=olga.id, now=now)
        code.refresh_from_db()
        assert (code.maximum_redemptions, code.is_waiting) == (times, is_waiting)
    promos.agree([code.id], operator_id=piet.id, now=now)
    code.refresh_from_db()

    code.maximum_redemptions = 100
    promos.change(code, fields=["maximum_redemptions"], operator_id=piet.id, now=now)

    code.refresh_from_db()
    assert (code.is_waiting, code.asked_by) == (True, piet)


def test_two_people_bring_a_code_into_use_on_its_page_and_in_the_list(
    olga: User, piet: User, now: datetime
) -> None:
    asking, agreeing, headers = signed_in(olga), signed_in(piet), clock_headers(now)
    form = {
        "code": "PREMIERE",
        "name": "The premiere",
        "bonus_coins": 50,
        "maximum_redemptions": 1000,
        "starts_at_0": "2026-03-01",
        "starts_at_1": "00:00",
        "is_active": "on",
    }
    told = asking.post(f"{CODES}add/", form, follow=True, headers=headers)
    assert "give 50,000 coins" in said(told)
    code = PromoCode.objects.get()
    small = make(olga, "SMALL", now, times=1)
    chosen = {"action": "agree", "_selected_action": [code.id, small.id]}

    own = asking.post(CODES, chosen, follow=True, headers=headers)
    assert "You asked for this yourself" in said(own)
    assert b"Waiting for a second person" in own.content
    done = agreeing.post(CODES, chosen, follow=True, headers=headers)

    assert "1 codes can be redeemed" in said(done)
    agreed = LogEntry.objects.filter(user=piet, change_message__contains="second person")
    assert [entry.object_id for entry in agreed] == [str(code.id)]
    page = asking.get(f"{CODES}{code.id}/change/", headers=headers).content
    assert b"piet agreed to what olga asked for" in page
    assert redeem(code, now) == 50


def test_two_people_bring_a_batch_into_use(olga: User, piet: User, now: datetime) -> None:
    codes = batch_of(olga, 11, now)
    batch_id = codes[0].batch_id
    client = signed_in(piet)
    file = f"{BATCHES}{batch_id}/codes.csv"
    assert b",100,false,false" in client.get(file).content
    chosen = {"action": "agree", "_selected_action": [batch_id]}

    assert b"the codes redeem nothing before" in client.get(BATCHES).content
    done = client.post(BATCHES, chosen, follow=True, headers=clock_headers(now))

    assert "11 codes can be redeemed" in said(done)
    assert b",100,true,false" in client.get(file).content
    assert redeem(codes[0], now) == 100


def test_who_may_make_no_codes_agrees_to_none(olga: User, now: datetime) -> None:
    codes = batch_of(olga, 11, now)
    client: Client = signed_in(operator("fin", role="finance"))
    for page, chosen in ((CODES, codes[0].id), (BATCHES, codes[0].batch_id)):
        client.post(page, {"action": "agree", "_selected_action": [chosen]})

    assert not PromoCode.objects.exclude(agreed_by=None).exists()
    assert not PromoRedemption.objects.exists()


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])
