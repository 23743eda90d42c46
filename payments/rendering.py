"""Domain values as the API answers them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from catalog import moments
from config import pages
from payments import auto_unlocks, causes, offers
from payments.auto_unlocks import Standing, Undone
from payments.chart import TransferCode
from payments.models import CoinPack, ExpiryNotice, Purchase
from payments.money import Money
from payments.paywall import Paywall, options
from payments.playing import Opened
from payments.shapes import (
    AutoUnlockAnswer,
    AutoUnlockedAnswer,
    BalanceAnswer,
    BundledEpisode,
    BundleUnlockAnswer,
    ExpiringCoins,
    ExpiryNoticeAnswer,
    ExpiryNoticesAnswer,
    MovementAnswer,
    OfferAnswer,
    PaywallAnswer,
    PaywallEpisode,
    PlaybackAnswer,
    PurchaseAnswer,
    UndoAnswer,
    UnlockAnswer,
    WalletAnswer,
)
from payments.unlocks import Outcome
from payments.wallets import Balance, Movement, Overview


def balance(value: Balance) -> BalanceAnswer:
    return BalanceAnswer(
        coins=value.coins, paid_coins=value.paid_coins, bonus_coins=value.bonus_coins
    )


def offer(pack: CoinPack) -> OfferAnswer:
    return OfferAnswer(
        pack_id=pack.id,
        code=pack.code,
        title=pack.title,
        coins=pack.paid_coins + pack.bonus_coins,
        paid_coins=pack.paid_coins,
        bonus_coins=pack.bonus_coins,
        price=Money(amount_micros=pack.price_micros, currency=pack.currency),
        store_products={
            product.provider: product.store_product_id for product in pack.store_products.all()
        },
    )


def offers_for(shortfall_coins: int) -> Sequence[OfferAnswer]:
    return [offer(pack) for pack in offers.that_help(shortfall_coins)]


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


def paywall(value: Paywall) -> PaywallAnswer:
    return PaywallAnswer(
        series_id=value.series.id,
        quote=value.quote.token(),
        quote_expires_at=value.quote.expires,
        next_locked_episode_id=value.next_locked.id if value.next_locked else None,
        balance=balance(value.balance),
        episodes=[
            PaywallEpisode(
                episode_id=episode.id,
                number=episode.number,
                state=value.state_of(episode),
                price_coins=value.ladder.price_of(episode.number),
                ends_at=value.ends_at(episode),
            )
            for episode in value.episodes
        ],
        options=list(options(value)),
        offers=[offer(pack) for pack in value.helpful_packs()],
    )


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


def purchase(value: Purchase, *, credited_now: bool) -> PurchaseAnswer:
    return PurchaseAnswer(
        purchase_id=value.id,
        provider=value.provider,
        environment=value.environment,
        transaction_id=value.transaction_id,
        pack_code=value.pack.code,
        coins=value.paid_coins + value.bonus_coins,
        paid_coins=value.paid_coins,
        bonus_coins=value.bonus_coins,
        price=Money(amount_micros=value.gross_micros, currency=value.currency),
        purchased_at=value.purchased_at,
        credited_now=credited_now,
    )
