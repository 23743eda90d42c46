"""Domain values as the API answers them."""

from collections.abc import Sequence
from uuid import UUID

from payments import offers
from payments.models import CoinPack, Purchase
from payments.money import Money
from payments.paywall import Paywall, options
from payments.playing import Opened
from payments.shapes import (
    BalanceAnswer,
    MovementAnswer,
    OfferAnswer,
    PaywallAnswer,
    PaywallEpisode,
    PlaybackAnswer,
    PurchaseAnswer,
    UnlockAnswer,
)
from payments.unlocks import Outcome
from payments.wallets import Balance, Movement


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


def movement(value: Movement) -> MovementAnswer:
    unlock = getattr(value.transfer, "unlock", None)
    purchase = getattr(value.transfer, "purchase", None)
    return MovementAnswer(
        transfer_id=value.transfer.id,
        code=value.transfer.code,
        at=value.transfer.event_at,
        coins=value.paid_coins + value.bonus_coins,
        paid_coins=value.paid_coins,
        bonus_coins=value.bonus_coins,
        paid_balance_after=value.paid_balance_after,
        bonus_balance_after=value.bonus_balance_after,
        series_id=unlock.episode.series_id if unlock else None,
        episode_id=unlock.episode_id if unlock else None,
        episode_number=unlock.episode.number if unlock else None,
        purchase_id=purchase.id if purchase else None,
        pack_code=purchase.pack.code if purchase else None,
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
