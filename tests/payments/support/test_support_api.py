"""Support's tools ask why a viewer may watch, and what is in their wallet."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Series
from payments.desk.grants import CoinGift, PassGift
from payments.models import Lot
from payments.store import consumption
from payments.support import holdings
from tests.factories.operators import operator
from tests.factories.payments import fund, give_bonus
from tests.factories.viewers import pipeline_headers
from tests.payments.diary import Diary
from viewers.models import Device, Scope, Viewer


@pytest.fixture
def diary(device: Device, series: Series, now: datetime) -> Diary:
    return Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))


def _ask(path: str, *, now: datetime, **query: Any) -> Any:
    headers = pipeline_headers(now=now, scopes=[Scope.SUPPORT_READ])
    answer = Client().get(f"/v1/support/{path}", query, headers=headers)
    assert answer["Cache-Control"] == "no-store"
    return answer


def _why(diary: Diary, number: int, **query: Any) -> Any:
    asked = {"viewer_id": diary.viewer_id, "episode_id": diary.episode(number).id}
    return _ask("why", now=diary.now, **(asked | query))


def test_an_unlock_is_explained_over_the_api(diary: Diary) -> None:
    bought = diary.buy()
    unlocked = diary.unlock(9)

    told = _why(diary, 9).json()

    assert (told["may_watch"], told["reason"], told["number"]) == (True, "coins", 9)
    cause = told["entitlement"]["cause"]
    assert (cause["kind"], cause["unlock_id"]) == ("coins", str(unlocked.id))
    source = cause["lots"][0]["source"]
    assert (source["kind"], source["transaction_id"]) == ("purchase", bought.transaction_id)


def test_a_past_moment_is_told_as_it_was_and_a_moment_ahead_as_now(diary: Diary) -> None:
    before = diary.now
    diary.buy()
    diary.unlock(9)

    then = _why(diary, 9, at=before.isoformat()).json()
    ahead = _why(diary, 9, at="2126-01-01T00:00:00Z").json()

    assert (then["may_watch"], then["reason"]) == (False, "locked")
    assert ahead["may_watch"]
    assert datetime.fromisoformat(ahead["at"]) == diary.now


def test_before_there_were_prices_there_is_none(diary: Diary) -> None:
    told = _why(diary, 9, at="0001-01-01T00:00:00+23:59").json()

    assert (told["reason"], told["price"]) == ("unpublished", None)


def test_what_is_not_known_is_not_found(diary: Diary) -> None:
    answers = [
        _why(diary, 9, viewer_id=uuid4()),
        _why(diary, 9, episode_id=uuid4()),
        _ask(f"viewers/{uuid4()}/wallet", now=diary.now),
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "not_found")] * 3


def test_a_viewer_is_asked_about_in_their_own_environment_unless_it_is_named(
    diary: Diary,
) -> None:
    fund(diary.viewer_id, now=diary.now, paid=7, environment="sandbox")
    own = _ask(f"viewers/{diary.viewer_id}/wallet", now=diary.now).json()
    named = _ask(f"viewers/{diary.viewer_id}/wallet", now=diary.now, environment="sandbox").json()
    Viewer.objects.filter(id=diary.viewer_id).update(environment="sandbox")
    moved = _ask(f"viewers/{diary.viewer_id}/wallet", now=diary.now).json()

    assert (own["environment"], own["paid_coins"]) == ("production", 0)
    assert (named["environment"], named["paid_coins"]) == ("sandbox", 7)
    assert moved == named


def test_a_wallet_shows_debt_cover_and_lots_in_the_order_in_which_they_are_spent(
    diary: Diary,
) -> None:
    bought = diary.buy(paid=60, micros=6_000_000)
    diary.unlock(9)
    diary.play(9)
    diary.refund(bought, micros=3_000_000)
    diary.buy(paid=100, bonus=10, micros=11_000_000)
    pass_id = diary.give(PassGift(1))
    late, soon = (diary.now + timedelta(days=days) for days in (3, 2))
    diary.earn(60)  # of which 30 repay the debt
    give_bonus(diary.viewer_id, coins=5, now=diary.now, expires_at=late)
    give_bonus(diary.viewer_id, coins=6, now=diary.now, expires_at=soon)

    told = _ask(f"viewers/{diary.viewer_id}/wallet", now=diary.now).json()

    assert (told["paid_coins"], told["bonus_coins"], told["debt_coins"]) == (100, 51, 0)
    assert told["cover"]["grant"]["grant_id"] == str(pass_id)
    assert told["deferred_micros"] == 11_000_000
    assert [(lot["lot_kind"], lot["remaining_coins"]) for lot in told["lots"]] == [
        ("bonus", 6),
        ("bonus", 5),
        ("bonus", 10),
        ("bonus", 30),
        ("paid", 100),
    ]
    newest, oldest = told["purchases"]
    assert (newest["remaining_coins"], newest["consumed_parts_per_million"]) == (110, 0)
    assert (oldest["spent_coins"], oldest["refunded_net_micros"]) == (60, 3_000_000)


def test_consumption_of_many_is_that_of_each(diary: Diary) -> None:
    purchases = [diary.buy(paid=70, bonus=20), diary.buy(paid=100), diary.buy(paid=30)]
    undone = diary.unlock(9)
    diary.unlock(10)
    diary.undo(undone)
    diary.refund(purchases[0], micros=4_000_000)
    diary.refund(purchases[2])
    diary.reverse(purchases[2])

    told = consumption.of_purchases(purchases)

    assert told == {
        bought.id: consumption.of_purchases([bought])[bought.id] for bought in purchases
    }
    assert sum(one.spent_coins for one in told.values()) == 60


def test_a_full_wallet_takes_as_many_questions_as_an_empty_one(
    diary: Diary, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        diary.buy(paid=5, bonus=1)
        diary.give(CoinGift(2))
    assert Lot.objects.count() == 36

    with django_assert_max_num_queries(8):
        holdings.show(viewer_id=diary.viewer_id, environment="production", now=diary.now)


def test_support_reads_and_moves_nothing_of_finance(diary: Diary) -> None:
    headers = pipeline_headers(now=diary.now, scopes=[Scope.SUPPORT_READ])
    answer = Client().get("/v1/finance/lots", headers=headers)

    assert (answer.status_code, answer.json()["scope"]) == (403, "finance:read")
