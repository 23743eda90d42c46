"""Why a viewer may watch, or may not: the whole chain, and of every moment only what was known then."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from catalog.models import Episode, Series
from config.problems import NotFound
from payments.desk import price_versions
from payments.desk.grants import CoinGift, EpisodeGift, PassGift
from payments.desk.price_versions import NewVariant, NewVersion
from payments.models import PricePlan, PriceVersion, RefundBooking, Unlock, UnlockReversal
from payments.prices.terms import Adjustment, Terms
from payments.support import why
from payments.support.explanations import (
    Ending,
    GrantSource,
    PurchaseSource,
    Reason,
    ReturnSource,
    RewardSource,
)
from tests.factories.operators import operator
from tests.factories.viewers import DeviceFactory
from tests.payments.diary import Diary
from viewers import refresh_tokens
from viewers.models import Device, Platform

MICROSECOND = timedelta(microseconds=1)
#: The question, and what Django asks around it.
QUERIES = 10


@pytest.fixture
def diary(device: Device, series: Series, now: datetime) -> Diary:
    return Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))


def test_an_unlock_is_explained_down_to_the_purchases_that_paid_it(diary: Diary) -> None:
    first = diary.buy(paid=50, bonus=20, micros=7_000_000)
    second = diary.buy(paid=100)
    unlocked = diary.unlock(9)

    told = diary.why(9)

    assert (told.may_watch, told.reason) == (True, Reason.COINS)
    cause = told.entitlement.cause
    assert (cause.unlock_id, cause.transfer_id) == (unlocked.id, unlocked.transfer_id)
    assert (cause.price.price_coins, cause.price.number, cause.price.plan) == (60, 9, "Standard")
    assert (cause.numbering, cause.arm) == (1, "")
    assert cause.quote_expires_at - diary.now == timedelta(minutes=15)
    assert (cause.position_ms, cause.playback_session_id) == (61_000, unlocked.playback_session_id)
    spent = [
        (lot.source.transaction_id, lot.lot_kind, lot.coins, lot.value_micros) for lot in cause.lots
    ]
    assert spent == [
        (first.transaction_id, "bonus", 20, 2_000_000),
        (first.transaction_id, "paid", 40, 4_000_000),
    ]
    assert second.transaction_id not in str(told)
    assert cause.value_micros == cause.standing_micros == 6_000_000


def test_the_very_microsecond_decides(diary: Diary) -> None:
    bought = diary.buy()
    unlocked = diary.unlock(9)
    opened_at = diary.now
    diary.refund(bought)

    assert not diary.why(9, opened_at - MICROSECOND).may_watch
    assert diary.why(9, opened_at).may_watch
    assert diary.why(9, diary.now - MICROSECOND).entitlement.cause.unlock_id == unlocked.id
    assert not diary.why(9, diary.now).may_watch


def test_a_no_says_what_it_would_have_cost_and_that_nothing_was_ever_opened(diary: Diary) -> None:
    told = diary.why(9)

    assert (told.may_watch, told.reason, told.entitlement) == (False, Reason.LOCKED, None)
    assert (told.price.price_coins, told.earlier) == (60, [])


def test_a_no_after_a_refund_names_the_refund_that_closed_it(diary: Diary) -> None:
    bought = diary.buy()
    diary.unlock(9)
    diary.refund(bought)

    (earlier,) = diary.why(9).earlier

    assert (earlier.closing.how, earlier.closing.at) == (Ending.REFUNDED, diary.now)
    refund = earlier.closing.refund
    assert (refund.origin, refund.reason, refund.by) == ("store", "Accident", None)
    assert (refund.net_micros, refund.taken_coins, refund.debt_coins) == (10_000_000, 100, 0)
    assert earlier.closing.transfer_id == UnlockReversal.objects.get().transfer_id
    assert earlier.cause.standing_micros == 0
    assert [fact.because for fact in earlier.cause.corrections] == ["unlock_reversal"]


def test_what_was_played_stands_and_shows_what_a_refund_took_of_its_revenue(diary: Diary) -> None:
    bought = diary.buy()
    diary.unlock(9)
    diary.play(9)
    diary.refund(bought, micros=8_000_000)

    told = diary.why(9)

    assert told.may_watch
    cause = told.entitlement.cause
    booking = RefundBooking.objects.get()
    assert cause.standing_micros == cause.value_micros - booking.recognised_micros > 0
    (refund,) = cause.lots[0].source.refunds
    assert (refund.gross_micros, refund.due_coins) == (8_000_000, 80)
    assert (refund.taken_coins, refund.debt_coins) == (40, 40)


def test_a_refund_that_did_not_stand_says_so_and_the_restored_unlock_its_forerunner(
    diary: Diary,
) -> None:
    bought = diary.buy()
    unlocked = diary.unlock(9)
    diary.refund(bought)
    refunded_at = diary.now
    diary.reverse(bought)

    told = diary.why(9)

    assert told.entitlement.cause.restores_unlock_id == unlocked.id
    (refund,) = told.entitlement.cause.lots[0].source.refunds
    assert (refund.booked_at, refund.undone_at) == (refunded_at, diary.now)
    assert (refund.net_micros, refund.by) == (10_000_000, None)
    assert [fact.closing.how for fact in told.earlier] == [Ending.REFUNDED]


def test_what_is_said_when_a_refund_happens_again_is_not_told_of_the_first_time(
    diary: Diary,
) -> None:
    bought = diary.buy()
    diary.unlock(9)
    diary.play(9)
    first_at = diary.refund(bought, reason="Accident")
    diary.reverse(bought)
    diary.refund(bought, reason="Dispute")

    (first,) = diary.why(9, first_at).entitlement.cause.lots[0].source.refunds
    (again,) = diary.why(9).entitlement.cause.lots[0].source.refunds

    assert (first.origin, first.reason, first.refunded_at) == (None, "", first_at)
    assert (again.origin, again.reason, again.refunded_at) == ("store", "Dispute", diary.now)
    assert (first.undone_at, again.undone_at) == (None, None)


def test_an_operators_undo_names_the_operator_and_the_reason(diary: Diary) -> None:
    diary.buy()
    diary.undo(diary.unlock(9))

    (earlier,) = diary.why(9).earlier

    assert (earlier.closing.how, earlier.closing.by) == (Ending.UNDONE, "olga")
    assert earlier.closing.reason == "Wrong episode"


def test_coins_that_were_given_name_who_asked_and_who_agreed(diary: Diary) -> None:
    small, large = diary.give(CoinGift(10)), diary.give(CoinGift(600))
    diary.unlock(9)

    lots = diary.why(9).entitlement.cause.lots

    assert [type(lot.source) for lot in lots] == [GrantSource, GrantSource]
    told = {lot.source.grant.grant_id: lot.source.grant for lot in lots}
    assert (told[small].asked_by, told[small].agreed_by) == ("olga", "olga")
    assert (told[large].asked_by, told[large].agreed_by) == ("olga", "piet")
    assert (told[large].reason, told[large].note) == ("fault", "The player stalled")
    assert told[large].agreement_note == "Seen the log"


def test_coins_of_an_ad_carry_attribution_and_no_revenue(diary: Diary) -> None:
    diary.earn(60, value_micros=9_000)
    diary.unlock(9)

    cause = diary.why(9).entitlement.cause

    assert [type(lot.source) for lot in cause.lots] == [RewardSource]
    assert (cause.value_micros, cause.attribution_micros) == (0, 9_000)
    assert cause.lots[0].value_micros == 9_000


def test_coins_that_had_repaid_a_debt_name_the_refund_that_did_not_stand(diary: Diary) -> None:
    bought = diary.buy(paid=60)
    diary.unlock(9)
    diary.play(9)
    diary.refund(bought)
    diary.earn(60)
    diary.reverse(bought)
    diary.unlock(10)

    (lot,) = diary.why(10).entitlement.cause.lots

    assert type(lot.source) is ReturnSource
    assert lot.source.undone_transfer_id == RefundBooking.objects.earliest("id").transfer_id


def test_a_given_episode_is_explained_and_taken_back(diary: Diary) -> None:
    grant_id = diary.give(EpisodeGift(diary.episode(9).id))
    given = diary.why(9)
    diary.take_back(grant_id)
    told = diary.why(9)

    assert (given.reason, given.entitlement.cause.grant.grant_id) == (Reason.GRANT, grant_id)
    assert given.entitlement.cause.grant.taken_back_by is None
    assert (told.may_watch, told.earlier[0].closing.how) == (False, Ending.GRANT_TAKEN_BACK)
    assert told.earlier[0].closing.by == told.earlier[0].cause.grant.taken_back_by == "piet"


def test_a_pass_opens_what_nothing_has_opened_yet(diary: Diary) -> None:
    grant_id = diary.give(PassGift(1))

    told = diary.why(9)

    assert (told.may_watch, told.reason, told.entitlement) == (True, Reason.SUBSCRIPTION, None)
    assert told.cover.grant.grant_id == grant_id
    assert told.price.price_coins == 60


def test_what_a_pass_opened_ends_with_it_or_before_when_it_is_taken_back(diary: Diary) -> None:
    first = diary.give(PassGift(1))
    diary.unlock(9)
    during = diary.why(9)
    diary.wait(days=1)
    lapsed = diary.why(9)
    second = diary.give(PassGift(1))
    diary.unlock(9)
    diary.take_back(second)

    assert during.entitlement.cause.grant.grant_id == first
    assert (lapsed.may_watch, lapsed.earlier[0].closing.how) == (False, Ending.LAPSED)
    assert lapsed.earlier[0].closing.at == during.entitlement.ends_at
    told = diary.why(9)
    assert [fact.closing.how for fact in told.earlier] == [Ending.COVER_TAKEN_BACK, Ending.LAPSED]
    assert (told.earlier[0].closing.by, told.reason) == ("piet", Reason.LOCKED)


def test_a_free_episode_is_free_by_the_version_of_that_moment(diary: Diary) -> None:
    before = diary.now
    diary.wait(hours=1)
    plan = PriceVersion.objects.get().plan
    price_versions.add(
        plan=plan,
        effective_from=diary.now,
        free_count=2,
        base_price_coins=75,
        overrides={12: 90},
        now=diary.now,
    )

    assert diary.why(3, before).reason is Reason.FREE
    assert diary.why(3).reason is Reason.LOCKED
    assert diary.why(12, before).price.price_coins == 60
    told = diary.why(12).price
    assert (told.price_coins, told.base_price_coins, told.free_count) == (90, 75, 2)
    assert told.effective_from == diary.now


def test_an_unlock_keeps_its_promised_price_beside_the_one_in_force(diary: Diary) -> None:
    diary.buy()
    diary.unlock(9)
    diary.wait(hours=1)
    price_versions.add(
        plan=PriceVersion.objects.get().plan,
        effective_from=diary.now,
        free_count=0,
        base_price_coins=75,
        overrides={},
        now=diary.now,
    )

    told = diary.why(9)

    assert (told.price.price_coins, told.entitlement.cause.price.price_coins) == (75, 60)


def test_what_is_not_published_is_for_those_who_own_it(diary: Diary) -> None:
    diary.buy()
    diary.unlock(9)
    diary.wait(hours=1)
    diary.series.episodes.update(state=Episode.State.WITHDRAWN, updated_at=diary.now)

    assert diary.why(9).reason is Reason.COINS
    assert diary.why(3).reason is Reason.UNPUBLISHED
    assert diary.why(3, diary.now - MICROSECOND).reason is Reason.FREE
    assert diary.why(3, datetime(2026, 1, 1, tzinfo=diary.now.tzinfo)).reason is Reason.UNPUBLISHED


def test_the_sandbox_explains_nothing_of_production(diary: Diary) -> None:
    diary.buy()
    diary.unlock(9)

    told = why.why(
        viewer_id=diary.viewer_id,
        environment="sandbox",
        episode_id=diary.episode(9).id,
        at=diary.now,
    )

    assert (told.reason, told.earlier) == (Reason.LOCKED, [])


def test_an_episode_that_is_not_known_is_not_found(diary: Diary) -> None:
    with pytest.raises(NotFound):
        why.why(
            viewer_id=diary.viewer_id,
            environment="production",
            episode_id=uuid4(),
            at=diary.now,
        )


def test_no_moment_tells_of_what_came_after_it_and_a_long_story_takes_no_more_questions(
    diary: Diary, django_assert_max_num_queries: Any
) -> None:
    _tell_everything(diary)

    told = list(diary.read_again())

    assert len(told) > 60
    for written, read in told:
        assert read == written
    assert len(diary.why(9).earlier) >= 4
    with django_assert_max_num_queries(QUERIES):
        diary.why(9)
    with django_assert_max_num_queries(QUERIES):
        diary.why(12)


def test_the_price_is_that_of_the_device_that_is_asked_about(diary: Diary) -> None:
    """Else of the one that they used last by then: one that came later has no trace in the answer."""
    (plan,) = PricePlan.objects.all()
    cheaper = NewVariant([], [Platform.WEB], Adjustment(price_coins=20))
    version = NewVersion(plan.id, Terms(8, 60), [cheaper])
    price_versions.add_many([version], effective_from=diary.wait(hours=1), now=diary.now)
    phone = Device.objects.get(viewer_id=diary.viewer_id)
    before = diary.now
    laptop = DeviceFactory(
        viewer=phone.viewer, platform=Platform.WEB, created_at=before + MICROSECOND
    )
    after = before + timedelta(hours=1)

    def told(at: datetime, device: Device | None = None) -> tuple[str | None, int]:
        found = why.why(
            viewer_id=diary.viewer_id,
            environment="production",
            episode_id=diary.episode(9).id,
            at=at,
            device_id=device.id if device else None,
        )
        return found.platform, found.price.price_coins

    assert told(before) == ("ios", 60)
    assert told(after) == ("web", 20)
    assert told(after, phone) == ("ios", 60)
    assert told(before, laptop) == ("web", 20)
    refresh_tokens.open_family(device=phone, now=before + timedelta(minutes=1))
    assert told(after) == ("ios", 60)
    with pytest.raises(NotFound):
        told(after, DeviceFactory())


def _tell_everything(diary: Diary) -> None:
    """Every way of opening and closing, with what is known written down after each step."""
    steps = _steps(diary)
    diary.note(3, 9, 10)
    for _ in steps:
        diary.note(3, 9, 10)


def _steps(diary: Diary) -> Any:
    first = diary.buy(paid=150, bonus=30)
    yield
    undone = diary.unlock(9)
    yield
    yield diary.undo(undone)
    yield diary.unlock(9)
    yield diary.refund(first, name="part", micros=1_000_000)
    yield diary.unlock(10)
    yield diary.play(10)
    yield diary.refund(first, name="rest")
    yield diary.earn(20, value_micros=500)
    yield diary.reverse(first, name="rest")
    yield diary.reverse(first, name="part")
    episode = diary.give(EpisodeGift(diary.episode(11).id))
    yield
    yield diary.take_back(episode)
    second = diary.buy(paid=60)
    yield
    yield diary.undo(_live_unlock(diary, 9))
    pass_id = diary.give(PassGift(2))
    yield
    yield diary.unlock(9)
    yield diary.take_back(pass_id)
    coins = diary.give(CoinGift(30))
    yield
    yield diary.unlock(9)
    yield diary.take_back(coins)
    yield diary.refund(second)
    diary.give(PassGift(1))
    yield
    yield diary.wait(days=2)
    yield diary.give(EpisodeGift(diary.episode(12).id))
    yield diary.reverse(second)


def _live_unlock(diary: Diary, number: int) -> Any:
    cause = diary.why(number).entitlement.cause
    return Unlock.objects.get(id=cause.unlock_id)


def test_a_purchases_part_in_the_chain_is_its_own(diary: Diary) -> None:
    bought = diary.buy(paid=60)
    diary.unlock(9)

    source = diary.why(9).entitlement.cause.lots[0].source

    assert isinstance(source, PurchaseSource)
    assert (source.provider, source.transaction_id) == ("fake", bought.transaction_id)
    assert (source.gross_micros, source.net_micros) == (10_000_000, bought.net_micros)
    assert (source.pack_code, source.refunds) == (bought.pack.code, [])
