"""What an operator gives arrives once, within the limits, and with a second person above them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from catalog.models import Episode, Series
from payments.desk import grants
from payments.desk.grants import Asked, CoinGift, Decided, EpisodeGift, Gift, PassGift
from payments.models import (
    Cover,
    Entitlement,
    Entry,
    Grant,
    GrantReason,
    GrantState,
    Lot,
    Transfer,
    Wallet,
)
from payments.store import operator_refunds
from payments.unlocking import unlocks
from tests.factories.operators import operator
from tests.factories.payments import fund, give_cover, play
from tests.factories.viewers import DeviceFactory, ViewerFactory
from tests.payments.calls import episode
from viewers.models import Device, Environment, Viewer


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    """The defaults, whatever this machine's environment says."""
    settings.GRANT_SOLO_COINS = 500
    settings.GRANT_MAXIMUM_COINS = 20_000
    settings.GRANT_DAILY_COINS = 5_000
    settings.GRANT_PASS_DAY_COINS = 200


@pytest.fixture
def asker(db: None) -> User:
    return operator("asker")


@pytest.fixture
def approver(db: None) -> User:
    return operator("approver")


class Desk:
    """An operator who gives things to one viewer, a second apart."""

    def __init__(self, viewer_id: UUID, asker: User, now: datetime) -> None:
        self.viewer_id, self.asker, self.now = viewer_id, asker, now

    def ask(self, gift: Gift, **changes: Any) -> Asked:
        self.now += timedelta(seconds=1)
        fields: dict[str, Any] = {
            "grant_id": uuid4(),
            "viewer_id": self.viewer_id,
            "gift": gift,
            "reason": GrantReason.GOODWILL,
            "note": "Ticket 7",
            "operator_id": self.asker.id,
            "now": self.now,
        }
        return grants.ask(**(fields | changes))

    def waiting(self, gift: Gift) -> Grant:
        assert self.ask(gift) is Asked.WAITING
        return Grant.objects.get(state=GrantState.WAITING)

    def decide(self, grant: Grant, user: User, *, is_approved: bool = True) -> Decided:
        self.now += timedelta(seconds=1)
        return grants.decide(
            grant_id=grant.id, operator_id=user.id, is_approved=is_approved, now=self.now
        )

    def revoke(self, grant: Grant) -> int:
        self.now += timedelta(seconds=1)
        return grants.revoke(grant_id=grant.id, operator_id=self.asker.id, now=self.now)

    def coins(self) -> tuple[int, int]:
        """Bonus coins held, and owed."""
        wallet = Wallet.objects.filter(viewer_id=self.viewer_id).first()
        return (wallet.bonus_coins, -wallet.debt_coins) if wallet else (0, 0)


@pytest.fixture
def desk(device: Device, asker: User, now: datetime) -> Desk:
    return Desk(device.viewer_id, asker, now)


def everything() -> tuple[Any, ...]:
    """Equal before and after means that nothing moved, and nothing was decided."""
    tables = (Grant, Transfer, Entry, Lot, Entitlement, Cover, Wallet)
    return tuple(list(table._default_manager.order_by("pk").values()) for table in tables)


def test_coins_up_to_the_limit_are_given_at_once(desk: Desk, asker: User) -> None:
    assert desk.ask(CoinGift(coins=500)) is Asked.GIVEN

    grant = Grant.objects.get()
    assert (grant.state, grant.worth_coins, grant.needs_second) == (GrantState.GIVEN, 500, False)
    assert (grant.asked_by, grant.decided_by) == (asker, asker)
    lot = Lot.objects.get(transfer=grant.transfer)
    assert (lot.origin, lot.granted_coins, lot.value_micros) == ("grant", 500, 0)
    assert lot.expires_at is None
    assert desk.coins() == (500, 0)


def test_coins_may_lapse(desk: Desk, now: datetime) -> None:
    lapse = now + timedelta(days=7)
    desk.ask(CoinGift(coins=10, expire_at=lapse))
    assert Lot.objects.get().expires_at == lapse


def test_one_coin_above_the_limit_waits_for_a_second_person(
    desk: Desk, asker: User, approver: User
) -> None:
    grant = desk.waiting(CoinGift(coins=501))
    assert grant.needs_second
    assert (desk.coins(), Transfer.objects.count(), Lot.objects.count()) == ((0, 0), 0, 0)

    assert desk.decide(grant, approver) is Decided.GIVEN
    grant.refresh_from_db()
    assert (grant.asked_by, grant.decided_by) == (asker, approver)
    assert desk.coins() == (501, 0)


def test_nobody_is_their_own_second_person(desk: Desk, asker: User) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    before = everything()
    with pytest.raises(grants.SamePerson):
        desk.decide(grant, asker)
    assert everything() == before


def test_a_refusal_gives_nothing_and_is_final(desk: Desk, approver: User) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    assert desk.decide(grant, approver, is_approved=False) is Decided.REFUSED
    assert desk.coins() == (0, 0)

    before = everything()
    with pytest.raises(grants.DecidedBefore):
        desk.decide(grant, approver)
    assert everything() == before


def test_whoever_asked_may_withdraw(desk: Desk, asker: User) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    assert desk.decide(grant, asker, is_approved=False) is Decided.REFUSED


def test_what_was_given_is_not_decided_again(desk: Desk, approver: User) -> None:
    desk.ask(CoinGift(coins=10))
    before = everything()
    for is_approved in (True, False):
        with pytest.raises(grants.DecidedBefore):
            desk.decide(Grant.objects.get(), approver, is_approved=is_approved)
    assert everything() == before


def test_the_same_request_again_gives_nothing_more(desk: Desk) -> None:
    grant_id = uuid4()
    assert desk.ask(CoinGift(coins=100), grant_id=grant_id) is Asked.GIVEN
    before = everything()
    assert desk.ask(CoinGift(coins=100), grant_id=grant_id) is Asked.REPEATED
    assert desk.ask(CoinGift(coins=7), grant_id=grant_id) is Asked.REPEATED
    assert everything() == before


def test_the_maximum_can_be_asked_for_and_one_more_cannot(desk: Desk, approver: User) -> None:
    before = everything()
    for coins in (20_001, 2**31, 2**63, 10**30):
        with pytest.raises(grants.OverMaximum):
            desk.ask(CoinGift(coins=coins))
    assert everything() == before

    assert desk.decide(desk.waiting(CoinGift(coins=20_000)), approver) is Decided.GIVEN
    assert desk.coins() == (20_000, 0)


def test_what_one_person_gives_alone_is_limited_by_the_day(desk: Desk, asker: User) -> None:
    for _ in range(9):
        desk.ask(CoinGift(coins=500))
    desk.ask(CoinGift(coins=400))
    assert grants.left_today_coins(operator_id=asker.id, now=desk.now) == 100

    before = everything()
    with pytest.raises(grants.OverDailyLimit) as refusal:
        desk.ask(CoinGift(coins=101))
    assert refusal.value.left_coins == 100
    assert everything() == before
    assert desk.ask(CoinGift(coins=100)) is Asked.GIVEN


def test_the_limit_of_the_day_is_each_operators_own(desk: Desk, approver: User) -> None:
    for _ in range(10):
        desk.ask(CoinGift(coins=500))
    assert desk.ask(CoinGift(coins=500), operator_id=approver.id) is Asked.GIVEN


def test_what_two_people_give_does_not_count_against_the_day(
    desk: Desk, asker: User, approver: User
) -> None:
    desk.decide(desk.waiting(CoinGift(coins=20_000)), approver)
    assert grants.left_today_coins(operator_id=asker.id, now=desk.now) == 5_000
    assert desk.ask(CoinGift(coins=500)) is Asked.GIVEN


def test_what_was_taken_back_still_counts_for_its_day(desk: Desk, asker: User) -> None:
    desk.ask(CoinGift(coins=500))
    desk.revoke(Grant.objects.get())
    assert grants.left_today_coins(operator_id=asker.id, now=desk.now) == 4_500


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [("UTC", "2026-03-15T00:00"), ("Asia/Shanghai", "2026-03-14T16:00")],
)
def test_the_day_begins_in_the_reporting_zone(
    desk: Desk, settings: Settings, zone: str, midnight: str
) -> None:
    settings.REPORTING_ZONE = ZoneInfo(zone)
    begins = datetime.fromisoformat(midnight).replace(tzinfo=UTC)
    for _ in range(10):
        desk.ask(CoinGift(coins=500))
    with pytest.raises(grants.OverDailyLimit):
        desk.ask(CoinGift(coins=1), now=begins - timedelta(microseconds=1))
    assert desk.ask(CoinGift(coins=500), now=begins) is Asked.GIVEN


@pytest.mark.parametrize("coins", [0, -1, -(10**30), 1.0, 0.5, True, "5", None])
def test_what_is_no_whole_number_of_coins_is_refused(desk: Desk, coins: Any) -> None:
    before = everything()
    with pytest.raises(grants.GiftInvalid):
        desk.ask(CoinGift(coins=coins))
    assert everything() == before


@pytest.mark.parametrize("days", [0, -1, 1.0, True])
def test_what_is_no_whole_number_of_days_is_refused(desk: Desk, days: Any) -> None:
    before = everything()
    with pytest.raises(grants.GiftInvalid):
        desk.ask(PassGift(days=days))
    assert everything() == before


@pytest.mark.parametrize("note", ["", "  \n ", "x" * 501])
def test_a_reason_in_words_is_required(desk: Desk, note: str) -> None:
    before = everything()
    with pytest.raises(grants.GiftInvalid):
        desk.ask(CoinGift(coins=5), note=note)
    assert everything() == before


def test_coins_that_would_have_lapsed_are_refused(desk: Desk, now: datetime) -> None:
    before = everything()
    with pytest.raises(grants.GiftInvalid):
        desk.ask(CoinGift(coins=5, expire_at=now))
    assert everything() == before


def test_coins_that_lapsed_while_they_waited_are_not_given(
    desk: Desk, approver: User, now: datetime
) -> None:
    grant = desk.waiting(CoinGift(coins=600, expire_at=now + timedelta(hours=1)))
    desk.now = now + timedelta(hours=1)
    before = everything()
    with pytest.raises(grants.Outdated):
        desk.decide(grant, approver)
    assert everything() == before


def test_nobody_there_receives_nothing(desk: Desk, now: datetime) -> None:
    erased = ViewerFactory(erased_at=now)
    before = everything()
    for viewer_id in (uuid4(), erased.id):
        with pytest.raises(grants.ViewerGone):
            desk.ask(CoinGift(coins=5), viewer_id=viewer_id)
    assert everything() == before


def test_a_viewer_who_was_erased_meanwhile_receives_nothing(
    desk: Desk, approver: User, now: datetime
) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    Viewer.objects.filter(id=desk.viewer_id).update(erased_at=now)
    before = everything()
    with pytest.raises(grants.ViewerGone):
        desk.decide(grant, approver)
    assert everything() == before
    assert desk.decide(grant, approver, is_approved=False) is Decided.REFUSED


def test_a_gift_goes_to_the_viewers_own_environment(desk: Desk, now: datetime) -> None:
    tester = DeviceFactory(viewer__environment=Environment.SANDBOX)
    fund(tester.viewer_id, now=now)  # a real purchase of theirs, from before
    desk.ask(CoinGift(coins=5), viewer_id=tester.viewer_id)

    assert Grant.objects.get().environment == "sandbox"
    assert Lot.objects.get(origin="grant").environment == "sandbox"
    held = Wallet.objects.filter(viewer_id=tester.viewer_id)
    assert dict(held.values_list("environment", "bonus_coins")) == {"sandbox": 5, "production": 0}


def test_a_gift_does_not_follow_a_viewer_to_another_environment(desk: Desk, approver: User) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    Viewer.objects.filter(id=desk.viewer_id).update(environment=Environment.SANDBOX)
    before = everything()
    with pytest.raises(grants.Outdated):
        desk.decide(grant, approver)
    assert everything() == before


def test_an_episode_counts_as_its_price_in_force(desk: Desk, series: Series, now: datetime) -> None:
    gift = EpisodeGift(episode_id=episode(series, 9))
    assert grants.terms(gift, now=now).worth_coins == 60
    assert desk.ask(gift) is Asked.GIVEN

    opened = Entitlement.objects.get()
    assert (opened.source, opened.ends_at, opened.grant) == ("grant", None, Grant.objects.get())
    assert Transfer.objects.count() == 0


def test_an_episode_that_is_open_is_not_given(
    desk: Desk, series: Series, quote: str, now: datetime
) -> None:
    fund(desk.viewer_id, now=now)
    unlocks.unlock(
        viewer_id=desk.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        quote=quote,
        now=now,
    )
    before = everything()
    with pytest.raises(grants.EpisodeOpen):
        desk.ask(EpisodeGift(episode_id=episode(series, 9)))
    assert everything() == before


def test_an_episode_that_was_opened_while_it_waited_is_not_given(
    desk: Desk, series: Series, approver: User, settings: Settings
) -> None:
    settings.GRANT_SOLO_COINS = 50
    grant = desk.waiting(EpisodeGift(episode_id=episode(series, 9)))
    settings.GRANT_SOLO_COINS = 500
    desk.ask(EpisodeGift(episode_id=episode(series, 9)))

    assert desk.decide(grant, approver) is Decided.ALREADY_OPEN
    grant.refresh_from_db()
    assert (grant.state, grant.entitlement) == (GrantState.REFUSED, None)
    assert Entitlement.objects.count() == 1


@pytest.mark.parametrize("case", ["free", "unknown", "withdrawn"])
def test_an_episode_that_cannot_be_given_is_refused(desk: Desk, series: Series, case: str) -> None:
    episode_id = {"free": episode(series, 8), "unknown": uuid4()}.get(case, episode(series, 9))
    if case == "withdrawn":
        series.episodes.filter(number=9).update(state=Episode.State.WITHDRAWN)
    before = everything()
    with pytest.raises(grants.GiftInvalid):
        desk.ask(EpisodeGift(episode_id=episode_id))
    assert everything() == before


def test_a_pass_counts_by_the_day_and_opens_without_coins(
    desk: Desk, series: Series, quote: str
) -> None:
    assert desk.ask(PassGift(days=2)) is Asked.GIVEN
    grant = Grant.objects.get()
    assert grant.worth_coins == 400
    assert grant.cover is not None
    assert grant.cover.ends_at - grant.cover.starts_at == timedelta(days=2)

    decision = unlocks.unlock(
        viewer_id=desk.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        quote=quote,
        now=desk.now,
    )
    assert decision.outcome.outcome == "covered"


def test_a_pass_begins_where_the_cover_that_is_there_ends(desk: Desk, now: datetime) -> None:
    ends_at = now + timedelta(days=3)
    give_cover(desk.viewer_id, starts_at=now, ends_at=ends_at)
    desk.ask(PassGift(days=1))
    cover = Grant.objects.get().cover
    assert cover is not None
    assert (cover.starts_at, cover.ends_at) == (ends_at, ends_at + timedelta(days=1))


def test_a_gift_repays_a_debt_first(desk: Desk, series: Series, quote: str, now: datetime) -> None:
    bought = fund(desk.viewer_id, now=now, paid=60)
    opened = unlocks.unlock(
        viewer_id=desk.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        quote=quote,
        now=now,
    ).outcome
    play(Entitlement.objects.filter(id=opened.entitlement_id), now=now)
    operator_refunds.by_operator(bought, operator_id=desk.asker.id, reason="Asked", now=now)
    assert desk.coins() == (0, 60)

    desk.ask(CoinGift(coins=100))
    assert desk.coins() == (40, 0)
    assert desk.revoke(Grant.objects.get()) == 40
    assert desk.coins() == (0, 0)


def test_taking_back_brings_what_is_left(
    desk: Desk, series: Series, quote: str, asker: User
) -> None:
    desk.ask(CoinGift(coins=100))
    unlocks.unlock(
        viewer_id=desk.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        quote=quote,
        now=desk.now,
    )
    assert desk.revoke(Grant.objects.get()) == 40

    grant = Grant.objects.get()
    assert (grant.state, grant.revoked_by) == (GrantState.REVOKED, asker)
    assert grant.revocation is not None
    assert grant.revocation.code == "grant_reversal"
    assert desk.coins() == (0, 0)
    assert Entitlement.objects.get().closed_at is None


def test_taking_back_closes_the_episode(desk: Desk, series: Series) -> None:
    desk.ask(EpisodeGift(episode_id=episode(series, 9)))
    assert desk.revoke(Grant.objects.get()) == 0
    assert Entitlement.objects.get().closed_at == desk.now


def test_taking_back_ends_the_pass_and_what_it_opened(
    desk: Desk, series: Series, quote: str
) -> None:
    desk.ask(PassGift(days=2))
    unlocks.unlock(
        viewer_id=desk.viewer_id,
        environment="production",
        episode_id=episode(series, 9),
        quote=quote,
        now=desk.now,
    )
    desk.revoke(Grant.objects.get())
    assert Cover.objects.get().closed_at == desk.now
    assert Entitlement.objects.get().closed_at == desk.now
    assert Wallet.objects.get().covered_until is None


def test_only_what_was_given_is_taken_back_and_once(desk: Desk, approver: User) -> None:
    grant = desk.waiting(CoinGift(coins=600))
    before = everything()
    with pytest.raises(grants.NotGiven):
        desk.revoke(grant)
    assert everything() == before

    desk.decide(grant, approver)
    desk.revoke(grant)
    before = everything()
    with pytest.raises(grants.NotGiven):
        desk.revoke(grant)
    assert everything() == before
