"""What a subscription's periods were paid: booked once, given back, earned, and the coins that come with them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from catalog.models import Series
from payments.models import (
    Cover,
    ExchangeRate,
    Lot,
    PassPurchase,
    PassRefundBooking,
    StoreTerms,
    Transfer,
)
from payments.providers.base import State
from tests import ledger_rules
from tests.factories.payments import fund
from tests.factories.viewers import viewer_headers
from tests.payments.calls import refund, unlock
from tests.payments.ledger.days.story import spend
from tests.payments.subscribing import (
    DAY,
    PRICE,
    Story,
    bonus,
    covered_until,
    is_open,
    plan,
    refunded_micros,
    tell,
)
from viewers.models import Device

SECOND = timedelta(seconds=1)


@pytest.fixture
def story(device: Device, now: datetime) -> Story:
    return Story(device.viewer_id, now, plan(coins=100))


class TestMoney:
    def test_of_a_period_is_booked_by_the_terms_of_its_day(
        self, story: Story, now: datetime
    ) -> None:
        StoreTerms.objects.create(
            provider="fake", effective_from=now - DAY, fee_parts_per_million=150_000
        )
        tell(story.paid(0), now=now + DAY)

        (period,) = PassPurchase.objects.all()
        assert (period.gross_micros, period.fee_micros, period.net_micros) == (
            PRICE,
            1_500_000,
            8_500_000,
        )
        assert (period.store_starts_at, period.store_ends_at) == (now, story.begins(1))
        # Days that may be closed by now stay as they are.
        assert (period.starts_at, period.ends_at) == (now + DAY, story.begins(1))
        assert (period.cover, period.subscription) == (None, story.row())

    def test_of_a_period_that_is_over_is_earned_at_once(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), now=story.begins(3))

        (period,) = PassPurchase.objects.all()
        assert period.ends_at - period.starts_at == SECOND
        assert not is_open(story, at=story.begins(3))

    def test_of_another_currency_is_worth_what_it_was_that_day(
        self, story: Story, now: datetime
    ) -> None:
        told = story.paid(0, period=story.period(0, currency="EUR"))
        ExchangeRate.objects.create(
            currency="EUR", day=now.date(), rate="1.25", source="ECB", created_at=now
        )

        tell(told, now=now)

        assert PassPurchase.objects.get().net_micros == PRICE * 5 // 4

    def test_of_a_free_period_is_nothing_and_brings_no_coins(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0, period=story.period(0, price_micros=0)), now=now)

        assert PassPurchase.objects.get().gross_micros == 0
        assert (bonus(story.viewer_id), is_open(story, at=now)) == (0, True)

    def test_is_booked_once_whatever_is_told_with_it(self, story: Story, now: datetime) -> None:
        for n in range(3):
            tell(story.paid(0, at=now + n * DAY), now=now + n * DAY)

        assert PassPurchase.objects.count() == Transfer.objects.count() == 1
        assert bonus(story.viewer_id) == 100


class TestRefunds:
    def test_of_the_latest_period_close_what_it_opened(
        self, api: Client, series: Series, device: Device, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        shown = api.get(
            f"/v1/series/{series.id}/paywall", headers=viewer_headers(device, now=now)
        ).json()
        assert {each["state"] for each in shown["episodes"]} == {"free", "covered"}

        tell(story.refund(0, at=now + DAY), now=now + DAY)

        assert (refunded_micros(story, 0), bonus(story.viewer_id)) == (PRICE, 0)
        assert not is_open(story, at=now + DAY)
        assert story.row().covers.get().ended_by == "refunded"

    def test_leave_open_what_a_newer_period_paid(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), story.paid(1), now=story.begins(1))
        tell(story.refund(0, at=story.begins(1)), now=story.begins(1))

        assert is_open(story, at=story.begins(1))
        assert bonus(story.viewer_id) == 100

    def test_of_a_renewal_paid_ahead_leave_the_running_period(
        self, story: Story, now: datetime
    ) -> None:
        early = story.begins(1) - DAY
        tell(story.paid(0), now=now)
        tell(story.paid(1, at=early), now=early)
        tell(story.refund(1, at=early + SECOND), now=early + SECOND)

        assert covered_until(story.viewer_id, at=early + SECOND) == story.begins(1)
        ends = dict(Cover.objects.values_list("ends_at", "closed_at"))
        assert ends == {story.begins(1): None, story.begins(2): early + SECOND}

    def test_of_an_upgrade_do_not_bring_back_what_it_took_the_place_of(
        self, story: Story, now: datetime
    ) -> None:
        """Within one subscription, as Apple has it: the year's period runs on behind the month's."""
        year = story.period(0, ends_at=now + 365 * DAY)
        tell(story.paid(0, period=year, until=year.ends_at), now=now)
        upgrade = story.period(
            1, starts_at=now + DAY, ends_at=now + 31 * DAY, purchased_at=now + DAY
        )
        tell(story.paid(1, at=now + DAY, period=upgrade, until=upgrade.ends_at), now=now + DAY)
        tell(story.refund(1, at=now + 2 * DAY), now=now + 2 * DAY)

        assert not is_open(story, at=now + 2 * DAY)

    def test_of_an_earlier_period_leave_open_what_renewed_without_a_price(
        self, story: Story, now: datetime
    ) -> None:
        """A store that tells no price of a renewal has no period of it, and grants it all the same."""
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now + DAY), now=now + DAY)
        assert not is_open(story, at=now + DAY)

        at = story.begins(1)
        tell(story.says(State.ACTIVE, at=at, until=story.begins(2)), now=at)

        assert covered_until(story.viewer_id, at=at) == story.begins(2)
        assert ledger_rules.broken() == []

    def test_close_a_grace_in_which_nothing_more_was_paid(
        self, story: Story, now: datetime
    ) -> None:
        at = story.begins(1)
        tell(story.paid(0), now=now)
        tell(story.says(State.GRACE, at=at, until=at + 3 * DAY), now=at)
        tell(story.refund(0, at=at + DAY), now=at + DAY)

        assert not is_open(story, at=at + DAY)
        assert ledger_rules.broken() == []

    def test_that_come_first_take_all_as_the_period_is_booked(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.refund(0, at=now), now=now)
        tell(story.paid(0), now=now)

        assert refunded_micros(story, 0) == PRICE
        assert (bonus(story.viewer_id), covered_until(story.viewer_id, at=now)) == (0, None)

    def test_of_a_part_leave_it_open_and_the_coins(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now, share_parts_per_million=300_000), now=now)
        assert (refunded_micros(story, 0), bonus(story.viewer_id)) == (3_000_000, 100)
        assert is_open(story, at=now)

        tell(story.refund(0, at=now, refund_id="rest", amount_micros=7_000_000), now=now)
        assert (refunded_micros(story, 0), bonus(story.viewer_id)) == (PRICE, 0)
        assert not is_open(story, at=now)

    @pytest.mark.parametrize("parts", [1, 999_999, 1_000_000])
    def test_of_a_part_of_what_was_free_are_of_nothing(
        self, story: Story, now: datetime, parts: int
    ) -> None:
        tell(story.paid(0, period=story.period(0, price_micros=0)), now=now)
        tell(story.refund(0, at=now, share_parts_per_million=parts), now=now)

        assert refunded_micros(story, 0) == 0

    def test_that_do_not_stand_open_it_again(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now + DAY), now=now + DAY)
        tell(story.reversal(0, at=now + 2 * DAY), now=now + 2 * DAY)

        assert (refunded_micros(story, 0), bonus(story.viewer_id)) == (0, 100)
        assert covered_until(story.viewer_id, at=now + 2 * DAY) == story.begins(1)

    def test_that_happen_again_take_again(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), now=now)
        for n in range(3):
            tell(story.refund(0, at=now + 2 * n * DAY), now=now)
            assert bonus(story.viewer_id) == 0
            tell(story.reversal(0, at=now + (2 * n + 1) * DAY), now=now)
            assert bonus(story.viewer_id) == 100

        assert PassRefundBooking.objects.filter(coins_transfer__isnull=False).count() == 6

    def test_of_a_store_that_revokes_meet_what_the_store_says(
        self, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(story.says(State.REVOKED, at=now + DAY), story.refund(0, at=now + DAY), now=now + DAY)
        tell(story.reversal(0, at=now + 2 * DAY), now=now + 2 * DAY)
        assert not is_open(story, at=now + 2 * DAY)

        tell(story.paid(0, at=now + 3 * DAY), now=now + 3 * DAY)
        assert is_open(story, at=now + 3 * DAY)


class TestCoins:
    def test_come_with_every_period_that_is_paid(self, story: Story, now: datetime) -> None:
        tell(story.paid(0), now=now)
        tell(story.paid(1), now=story.begins(1))

        assert bonus(story.viewer_id) == 200
        assert set(Lot.objects.values_list("origin", "kind", "value_micros", "expires_at")) == {
            ("period", "bonus", 0, None)
        }

    def test_are_those_of_the_period_and_not_of_what_it_renews_as(
        self, story: Story, now: datetime
    ) -> None:
        bigger = plan(coins=500)
        tell(story.paid(0, renews_as=bigger.store_product_id), now=now)
        assert bonus(story.viewer_id) == 100

        name = bigger.store_product_id
        tell(
            story.paid(1, store_product_id=name, period=story.period(1, store_product_id=name)),
            now=story.begins(1),
        )
        assert bonus(story.viewer_id) == 600

    def test_that_are_spent_stay_spent(self, series: Series, story: Story, now: datetime) -> None:
        """And those that were left come back where the refund did not stand."""
        assert story.viewer_id is not None
        tell(story.says(State.PAUSED, at=now, period=story.period(0)), now=now)
        spend(story.viewer_id, series, 9, now)
        assert bonus(story.viewer_id) == 40

        tell(story.refund(0, at=now + DAY), now=now + DAY)
        assert bonus(story.viewer_id) == 0
        tell(story.reversal(0, at=now + 2 * DAY), now=now + 2 * DAY)
        assert bonus(story.viewer_id) == 40

    def test_repay_a_debt_first_and_that_stays_repaid(
        self, series: Series, device: Device, story: Story, now: datetime, api: Client
    ) -> None:
        bought = fund(device.viewer_id, now=now, paid=60)
        headers = viewer_headers(device, now=now)
        shown = api.get(f"/v1/series/{series.id}/paywall", headers=headers).json()
        unlocked = unlock(api, shown["next_locked_episode_id"], headers, quote=shown["quote"])
        assert unlocked.status_code == 200
        api.post(f"/v1/episodes/{shown['next_locked_episode_id']}/play", headers=headers)
        refund(bought, now=now)

        tell(story.paid(0), now=now)
        assert bonus(story.viewer_id) == 40
        tell(story.refund(0, at=now), now=now)
        assert bonus(story.viewer_id) == 0

    def test_are_explained_line_by_line(
        self, api: Client, device: Device, story: Story, now: datetime
    ) -> None:
        tell(story.paid(0), now=now)
        tell(story.refund(0, at=now + DAY), now=now + DAY)
        tell(story.reversal(0, at=now + 2 * DAY), now=now + 2 * DAY)

        body: Any = api.get("/v1/me/wallet/entries", headers=viewer_headers(device, now=now)).json()

        period = PassPurchase.objects.get()
        assert story.product.pass_product is not None
        told = {
            "purchase_id": str(period.id),
            "subscription_id": str(story.row().id),
            "provider": "fake",
            "pass_code": story.product.pass_product.code,
            "pass_title": "VIP",
            "starts_at": now.isoformat().replace("+00:00", "Z"),
            "ends_at": story.begins(1).isoformat().replace("+00:00", "Z"),
        }
        assert [(line["coins"], line["cause"]) for line in body["entries"]] == [
            (100, {"kind": "period"} | told),
            (-100, {"kind": "period_reversal"} | told),
            (100, {"kind": "period"} | told),
        ]
