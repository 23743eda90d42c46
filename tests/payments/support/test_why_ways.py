"""An explanation, a statement and support's page say in which way an episode was opened."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from catalog.models import Series
from payments.access import paywall
from payments.admin import why_lines
from payments.support.explanations import Ending, Explanation, Reason
from payments.unlocking import auto_unlocks, bundles, rentals, unlocks
from tests.factories.operators import operator
from tests.payments import ways
from tests.payments.diary import Diary
from tests.payments.ways import BUNDLE_PRICE, RENTAL_PRICE, SINGLE_PRICE
from viewers.models import Device


@pytest.fixture
def diary(device: Device, series: Series, now: datetime) -> Diary:
    ways.sell(now - timedelta(hours=1))
    told = Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))
    told.buy(paid=500)
    return told


def whose(diary: Diary) -> dict[str, Any]:
    return {"viewer_id": diary.viewer_id, "environment": "production", "now": diary.now}


def lines(told: Explanation) -> Sequence[str]:
    """What support reads."""
    return [f"{line.about}: {line.says}" for line in why_lines.standing(told)]


def test_a_bundle_names_what_was_bought_with_it(diary: Diary) -> None:
    quote = bundles.quote_for(paywall.show(**whose(diary), series_id=diary.series.id))
    assert quote is not None
    made = bundles.unlock(**whose(diary), series_id=diary.series.id, quote=quote.token()).outcome

    told = diary.why(11)

    cause = told.entitlement.cause
    assert (cause.way, cause.bundle_id, cause.consent) == ("bundle", made.bundle_id, None)
    assert cause.price.price_coins == BUNDLE_PRICE
    assert why_lines.answer(told) == "Yes: unlocked with the rest of the series, for 42 coins."
    assert f"Bundle: All that was bought with it has bundle id {made.bundle_id}" in lines(told)


def test_a_rental_says_until_when_and_that_it_has_lapsed_afterwards(diary: Diary) -> None:
    shown = paywall.show(**whose(diary), series_id=diary.series.id)
    quote = rentals.quote_for(
        viewer_id=diary.viewer_id,
        environment="production",
        series=diary.series,
        price=shown.quote.price,
        now=diary.now,
    )
    assert quote is not None
    unlocks.unlock(**whose(diary), episode_id=diary.episode(9).id, quote=quote.token())
    ends_at = diary.now + timedelta(hours=48)

    during, after = diary.why(9, ends_at - timedelta(microseconds=1)), diary.why(9, ends_at)

    assert (during.reason, during.entitlement.ends_at) == (Reason.COINS, ends_at)
    assert during.entitlement.cause.way == "rental"
    assert why_lines.answer(during) == f"Yes: rented for {RENTAL_PRICE} coins."
    assert (after.may_watch, after.reason) == (False, Reason.LOCKED)
    (closing,) = [fact.closing for fact in after.earlier]
    assert (closing.how, closing.at) == (Ending.LAPSED, ends_at)


def test_without_a_tap_it_names_what_was_agreed_to_and_when(diary: Diary) -> None:
    quote = paywall.show(**whose(diary), series_id=diary.series.id).quote.token()
    auto_unlocks.agree(**whose(diary), series_id=diary.series.id, quote=quote, daily_cap_coins=100)
    agreed_at = diary.now
    ways.sell(diary.now, base_price_coins=50)
    diary.wait(minutes=1)
    auto_unlocks.unlock(**whose(diary), episode_id=diary.episode(9).id)
    unlocked_at = diary.now
    diary.wait(minutes=1)
    auto_unlocks.end(
        viewer_id=diary.viewer_id,
        environment="production",
        series_id=diary.series.id,
        now=diary.now,
    )

    then, now = diary.why(9, unlocked_at), diary.why(9, diary.now)

    consent = then.entitlement.cause.consent
    assert (then.entitlement.cause.way, consent.daily_cap_coins) == ("auto", 100)
    assert (consent.agreed_at, consent.ended_at) == (agreed_at, None)
    assert (consent.price.price_coins, then.entitlement.cause.price.price_coins) == (
        SINGLE_PRICE,
        50,
    )
    assert now.entitlement.cause.consent.ended_at == diary.now
    assert why_lines.answer(then) == "Yes: unlocked without a tap, as agreed, for 50 coins."
    assert "Agreed to: Up to 100 coins a day for this series" in lines(then)


def test_taken_back_it_was_undone_by_nobody_else(diary: Diary) -> None:
    quote = paywall.show(**whose(diary), series_id=diary.series.id).quote.token()
    auto_unlocks.agree(**whose(diary), series_id=diary.series.id, quote=quote, daily_cap_coins=100)
    made = auto_unlocks.unlock(**whose(diary), episode_id=diary.episode(9).id).outcome
    assert made.unlock_id is not None
    diary.wait(seconds=1)
    auto_unlocks.undo(**whose(diary), unlock_id=made.unlock_id)

    (earlier,) = diary.why(9).earlier

    assert (earlier.closing.how, earlier.closing.by) == (Ending.UNDONE, None)
    assert earlier.cause.standing_micros == 0
