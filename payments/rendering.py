"""Domain values as the API answers them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from catalog import moments
from catalog.models import Series
from config import pages
from payments import causes
from payments.access.offer_choices import Shown
from payments.access.paywall import Paywall
from payments.access.playing import Opened
from payments.chart import TransferCode
from payments.ledger.wallets import Balance, Movement, Overview
from payments.models import (
    Cover,
    CoverSource,
    ExpiryNotice,
    PassPurchase,
    SubscriptionCover,
)
from payments.money import Money
from payments.shapes import (
    AutoUnlockAnswer,
    AutoUnlockedAnswer,
    BalanceAnswer,
    BundledEpisode,
    BundleUnlockAnswer,
    CoverAnswer,
    ExpiringCoins,
    ExpiryNoticeAnswer,
    ExpiryNoticesAnswer,
    OfferAnswer,
    OfferedAs,
    PaywallAnswer,
    PaywallEpisode,
    PlaybackAnswer,
    RedemptionAnswer,
    UndoAnswer,
    UnlockAnswer,
    WalletAnswer,
)
from payments.statement_shapes import MovementAnswer
from payments.store import offers, passes
from payments.store.offers import Offered
from payments.store.promo_codes import Redeemed
from payments.unlocking import auto_unlocks
from payments.unlocking.auto_unlocks import Standing, Undone
from payments.unlocking.unlocks import Outcome


def balance(value: Balance) -> BalanceAnswer:
    return BalanceAnswer(
        coins=value.coins, paid_coins=value.paid_coins, bonus_coins=value.bonus_coins
    )


def offer(value: Offered) -> OfferAnswer:
    pack, under = value.pack, value.offer
    return OfferAnswer(
        pack_id=pack.id,
        offer_id=under.id if under else None,
        kind=OfferedAs(under.kind) if under else OfferedAs.PACK,
        code=under.code if under else pack.code,
        title=under.title if under else pack.title,
        coins=value.coins,
        paid_coins=pack.paid_coins,
        bonus_coins=value.bonus_coins,
        normal_bonus_coins=pack.bonus_coins,
        ends_at=under.ends_at if under else None,
        stock_left=value.stock_left,
        price=Money(amount_micros=pack.price_micros, currency=pack.currency),
        store_products=dict(pack.store_names),
    )


def offers_for(
    shortfall_coins: int, *, viewer_id: UUID, environment: str, now: datetime
) -> Sequence[OfferAnswer]:
    found = offers.on_sale(viewer_id=viewer_id, environment=environment, now=now)
    return [offer(offered) for offered in offers.that_help(shortfall_coins, found)]


def unlock(outcome: Outcome, episode_id: UUID) -> UnlockAnswer:
    return UnlockAnswer(
        outcome=outcome.outcome,
        episode_id=episode_id,
        entitlement_id=outcome.entitlement_id,
        price_coins=outcome.price_coins,
        paid_coins=outcome.paid_coins,
        bonus_coins=outcome.bonus_coins,
        balance=balance(
            Balance(paid_coins=outcome.balance_paid_coins, bonus_coins=outcome.balance_bonus_coins)
        ),
        ends_at=outcome.ends_at,
    )


def auto_unlock(outcome: Outcome, episode_id: UUID) -> AutoUnlockedAnswer:
    return AutoUnlockedAnswer(
        **msgspec.structs.asdict(unlock(outcome, episode_id)),
        unlock_id=outcome.unlock_id,
        undo_until=auto_unlocks.undo_until(outcome),
    )


def bundle_unlock(outcome: Outcome, series_id: UUID) -> BundleUnlockAnswer:
    return BundleUnlockAnswer(
        outcome=outcome.outcome,
        series_id=series_id,
        bundle_id=outcome.bundle_id,
        price_coins=outcome.price_coins,
        paid_coins=outcome.paid_coins,
        bonus_coins=outcome.bonus_coins,
        episodes=[
            BundledEpisode(**msgspec.structs.asdict(episode)) for episode in outcome.episodes
        ],
        balance=balance(
            Balance(paid_coins=outcome.balance_paid_coins, bonus_coins=outcome.balance_bonus_coins)
        ),
    )


def auto_unlock_standing(value: Standing) -> AutoUnlockAnswer:
    return AutoUnlockAnswer(
        series_id=value.series_id,
        enabled=value.agreed_at is not None,
        daily_cap_coins=value.daily_cap_coins,
        spent_today_coins=value.spent_today_coins,
        agreed_at=value.agreed_at,
    )


def undone(value: Undone) -> UndoAnswer:
    return UndoAnswer(
        unlock_id=value.unlock_id,
        episode_id=value.episode_id,
        returned_coins=value.paid_coins + value.bonus_coins,
        paid_coins=value.paid_coins,
        bonus_coins=value.bonus_coins,
        balance=balance(value.balance),
    )


def paywall(value: Paywall, ways: Shown) -> PaywallAnswer:
    return PaywallAnswer(
        series_id=value.series.id,
        access_mode=Series.AccessMode(value.series.access_mode),
        quote=value.quote.token(),
        quote_expires_at=value.quote.expires,
        next_locked_episode_id=value.next_locked.id if value.next_locked else None,
        balance=balance(value.balance),
        episodes=_paywall_episodes(value),
        options=list(ways.options),
        offers=[offer(offered) for offered in ways.packs],
        primary=ways.primary,
        decision_id=ways.decision_id,
    )


def _paywall_episodes(value: Paywall) -> list[PaywallEpisode]:
    """Many of them, at few different prices."""
    prices = [value.ladder.price_of(episode.number) for episode in value.episodes]
    equivalents = {coins: value.money_for(coins) for coins in set(prices)}
    return [
        PaywallEpisode(
            episode_id=episode.id,
            number=episode.number,
            state=value.state_of(episode),
            price_coins=price_coins,
            equivalent=equivalents[price_coins],
            ends_at=value.ends_at(episode),
        )
        for episode, price_coins in zip(value.episodes, prices, strict=True)
    ]


def playback(value: Opened) -> PlaybackAnswer:
    source = value.playback
    return PlaybackAnswer(
        playback_session_id=source.session_id,
        episode_id=value.episode.id,
        number=value.episode.number,
        version_id=source.version_id,
        url=source.url,
        expires_at=source.expires_at,
        mime=source.mime,
        width=source.width,
        height=source.height,
        duration_ms=source.duration_ms,
        access_ends_at=value.access_ends_at,
    )


def wallet(value: Overview, *, environment: str) -> WalletAnswer:
    return WalletAnswer(
        environment=environment,
        balance=balance(value.balance),
        debt_coins=value.debt_coins,
        covered_until=value.covered_until,
        expiring=[
            ExpiringCoins(
                coins=lot.remaining_coins,
                expires_at=lot.expires_at,
                noticed=getattr(lot, "expiry_notice", None) is not None,
            )
            for lot in value.expiring
            if lot.expires_at is not None
        ],
    )


def cover(value: Cover, *, now: datetime) -> CoverAnswer:
    bought: PassPurchase | None = getattr(value, "pass_purchase", None)
    part: SubscriptionCover | None = getattr(value, "subscription_cover", None)
    of_product = bought or (part.subscription if part else None)
    return CoverAnswer(
        cover_id=value.id,
        source=CoverSource(value.source),
        state=passes.state_of(value, now),
        starts_at=value.starts_at,
        ends_at=value.ends_at,
        closed_at=value.closed_at,
        purchase_id=bought.id if bought else None,
        subscription_id=part.subscription_id if part else None,
        pass_id=of_product.product_id if of_product else None,
        pass_code=of_product.product.code if of_product else None,
        pass_title=of_product.product.title if of_product else None,
    )


def movement(value: Movement) -> MovementAnswer:
    why = causes.of(value)
    return MovementAnswer(
        transfer_id=value.transfer.id,
        code=TransferCode(value.transfer.code),
        at=value.transfer.event_at,
        coins=value.paid_coins + value.bonus_coins,
        paid_coins=value.paid_coins,
        bonus_coins=value.bonus_coins,
        debt_coins=value.debt_coins,
        paid_balance_after=value.paid_balance_after,
        bonus_balance_after=value.bonus_balance_after,
        debt_balance_after=value.debt_balance_after,
        cause=why,
        series_id=getattr(why, "series_id", None),
        episode_id=getattr(why, "episode_id", None),
        episode_number=getattr(why, "number", None),
        purchase_id=getattr(why, "purchase_id", None),
        pack_code=getattr(why, "pack_code", None),
    )


def expiry_notices(
    found: Sequence[ExpiryNotice], *, limit: int, cursor: str
) -> ExpiryNoticesAnswer:
    """The first `limit` of what was found; the cursor stays where it was if nothing was."""
    page = found[:limit]
    if page:
        last = page[-1]
        cursor = pages.encode(moments.position(last.created_at, last.id))
    return ExpiryNoticesAnswer(
        notices=[
            ExpiryNoticeAnswer(
                notice_id=notice.id,
                viewer_id=notice.viewer_id,
                environment=notice.environment,
                coins=notice.coins,
                expires_at=notice.expires_at,
                created_at=notice.created_at,
            )
            for notice in page
        ],
        next_cursor=cursor,
        has_more=len(found) > limit,
    )


def redemption(value: Redeemed, *, now_spendable: Balance) -> RedemptionAnswer:
    return RedemptionAnswer(
        redemption_id=value.redemption_id,
        code=value.code,
        coins=value.coins,
        coins_expire_at=value.coins_expire_at,
        redeemed_now=value.is_new,
        balance=balance(now_spendable),
    )
