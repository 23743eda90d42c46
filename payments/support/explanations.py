"""The words of an explanation: why a viewer may watch an episode at a moment, or why not.

Everything in one was known at its moment. What happened later has left no trace in it: an unlock that
was undone an hour afterwards stands here as it stood.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar, Protocol, cast, get_args, get_type_hints
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from config.bodies import AnswerShape
from payments.chart import LotKind
from payments.ledger.earnings import Earned
from payments.models import (
    ChangeCause,
    Entitlement,
    EntitlementSource,
    GrantKind,
    GrantReason,
    Ownership,
    RefundOrigin,
    SubscriptionState,
    UnlockWay,
)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Reason(StrEnum):
    """What decides. The last two are a no."""

    COINS = "coins"
    AD = "ad"
    SUBSCRIPTION = "subscription"
    GRANT = "grant"
    FREE = "free"
    LOCKED = "locked"
    UNPUBLISHED = "unpublished"


class ArmFact(AnswerShape):
    """The arm of an experiment that took part in a price."""

    experiment: str
    arm: str


class PriceFact(AnswerShape):
    """A version of a price plan, and what it asks for one episode in these arms. 0 is free."""

    price_version_id: UUID
    plan_id: UUID
    plan: str
    effective_from: Moment
    free_count: int
    base_price_coins: int
    number: int | None
    price_coins: int
    arms: list[ArmFact]


class GrantFact(AnswerShape):
    """Something an operator gave: who asked, who agreed, and whether it was taken back by then."""

    grant_id: UUID
    what: GrantKind
    coins: int | None
    pass_days: int | None
    worth_coins: int
    reason: GrantReason
    note: str
    asked_by: str
    asked_at: Moment
    agreed_by: str | None
    agreed_at: Moment | None
    agreement_note: str
    taken_back_by: str | None
    taken_back_at: Moment | None


class RefundFact(AnswerShape):
    """A refund of a purchase as it stood: what it took, and since when it has not stood any more.

    `gross_micros` is in the purchase's currency, `net_micros` in the reporting currency. Of `due_coins`
    some were taken out of lots and others, spent before, became a debt; the rest had lapsed. `origin` is
    null where the refund happened again later: what was said of it before is not kept.
    """

    refund_id: UUID
    name: str
    origin: RefundOrigin | None
    reason: str
    by: str | None
    refunded_at: Moment
    booked_at: Moment
    undone_at: Moment | None
    gross_micros: int
    net_micros: int
    due_coins: int
    taken_coins: int
    debt_coins: int


class PurchaseSource(AnswerShape, tag_field="kind", tag="purchase"):
    """Coins bought: the store's transaction, and the refunds of it."""

    purchase_id: UUID
    provider: str
    transaction_id: str
    pack_id: UUID
    pack_code: str
    paid_coins: int
    bonus_coins: int
    currency: str
    gross_micros: int
    net_micros: int
    purchased_at: Moment
    refunds: list[RefundFact]


class GrantSource(AnswerShape, tag_field="kind", tag="grant"):
    """Coins that an operator gave."""

    grant: GrantFact


class RewardSource(AnswerShape, tag_field="kind", tag="reward"):
    """Coins earned by an ad or a task. `earned` says by which, where that is known."""

    reference: str
    earned: Earned | None = None


class PromoSource(AnswerShape, tag_field="kind", tag="promo"):
    """Coins for a promo code."""

    redemption_id: UUID
    promo_code: str


class ReturnSource(AnswerShape, tag_field="kind", tag="debt_returned"):
    """Coins that had repaid a debt which did not stand."""

    undone_transfer_id: UUID


class PassFact(AnswerShape):
    """A pass that was bought, or a period of a subscription: the store's transaction, and the refunds of it.

    It is from `starts_at` to `ends_at`, a subscription's period as its store counts it, whose length is not told in
    months or days. Of a pass refunds took no coins.
    """

    purchase_id: UUID
    subscription_id: UUID | None
    provider: str
    transaction_id: str
    pass_id: UUID
    pass_code: str
    pass_title: str
    period_months: int
    period_days: int
    starts_at: Moment
    ends_at: Moment
    currency: str
    gross_micros: int
    net_micros: int
    purchased_at: Moment
    refunds: list[RefundFact]


class PeriodSource(AnswerShape, tag_field="kind", tag="period"):
    """Coins that came with a period of a subscription."""

    period: PassFact


LotSource = PurchaseSource | GrantSource | RewardSource | PromoSource | PeriodSource | ReturnSource


class SpentLot(AnswerShape):
    """The coins that one lot gave, the value that went with them, and what had granted the lot.

    The value is revenue, but for `origin` reward: what an ad earned, for the title's account only.
    """

    lot_id: UUID
    transfer_id: UUID
    lot_kind: LotKind
    origin: str
    coins: int
    value_micros: int
    granted_coins: int
    granted_at: Moment
    expires_at: Moment | None
    source: LotSource | None


class Correction(AnswerShape):
    """Revenue of an unlock that a later transfer took back, negative, or gave back again."""

    transfer_id: UUID
    because: str
    lot_id: UUID
    coins: int
    value_micros: int
    attribution_micros: int
    at: Moment


class EntitlementCause(AnswerShape, tag_field="kind"):
    """What opened an episode. Each kind adds its own members; `rows` says whose ids they are."""

    rows: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def kinds(cls) -> Sequence[type["EntitlementCause"]]:
        """Ours, and those of the sources named in settings: the API's document lists each."""
        others = [_kind(source) for source in sources().values()]
        return [CoinsCause, SubscriptionCause, GrantCause, *others]


class ConsentFact(AnswerShape):
    """What a viewer had agreed to beforehand for a series, and whether it had ended by then.

    `price` is what they were shown for this episode then: more was not charged.
    """

    consent_id: UUID
    daily_cap_coins: int
    price: PriceFact
    agreed_at: Moment
    ended_at: Moment | None


class CoinsCause(EntitlementCause, tag="coins"):
    """An unlock: the price under the version that was promised, and the coins that paid it.

    `way` is how it was asked for: all that was bought at once has one `bundle_id`, and what was unlocked
    without a tap the consent that allowed it. `standing_micros` is the revenue left of `value_micros` after the corrections.
    """

    unlock_id: UUID
    transfer_id: UUID
    unlocked_at: Moment
    way: UnlockWay
    bundle_id: UUID | None
    consent: ConsentFact | None
    price: PriceFact
    numbering: int | None
    arm: str
    quote_expires_at: Moment | None
    paid_coins: int
    bonus_coins: int
    value_micros: int
    attribution_micros: int
    standing_micros: int
    playback_session_id: UUID | None
    position_ms: int | None
    restores_unlock_id: UUID | None
    lots: list[SpentLot]
    corrections: list[Correction]


class TellingFact(AnswerShape):
    """What a store said of a subscription: as of when, and by what it was heard at `told_at`.

    One that `is_outdated` came after a later one and changed nothing. `message_id` is the store's message.
    """

    change_id: UUID
    cause: ChangeCause
    message_id: UUID | None
    state: SubscriptionState
    pass_code: str
    access_until: Moment | None
    is_outdated: bool
    as_of: Moment
    told_at: Moment


class TransferFact(AnswerShape):
    """A subscription that went to another viewer: as they restored it, or by an operator."""

    transfer_id: UUID
    from_viewer_id: UUID
    to_viewer_id: UUID
    by: str | None
    at: Moment


class SubscriptionFact(AnswerShape):
    """A subscription as it was known: what its store said last by then, and everything that led there.

    `name` is the store's, and `replaced_by` that of the one which took its place. `tellings` and `transfers` are in
    the order in which they were heard, `periods` in that in which they began.
    """

    subscription_id: UUID
    provider: str
    name: str
    state: SubscriptionState
    pass_id: UUID
    pass_code: str
    pass_title: str
    ownership: Ownership
    access_until: Moment | None
    as_of: Moment
    replaced_by: str
    tellings: list[TellingFact]
    transfers: list[TransferFact]
    periods: list[PassFact]


class SubscriptionCause(EntitlementCause, tag="subscription"):
    """A span that a subscription or a pass covers, and what gave it: a subscription, a purchase or an operator.
    `closed_at`: taken back before its end."""

    cover_id: UUID
    source: str
    reference: str
    starts_at: Moment
    ends_at: Moment
    closed_at: Moment | None
    grant: GrantFact | None
    purchase: PassFact | None
    subscription: SubscriptionFact | None = None


class GrantCause(EntitlementCause, tag="grant"):
    """An operator's gift of this episode."""

    grant: GrantFact


class Ending(StrEnum):
    """How an entitlement ceased. Its subscription was TOLD by its store to open no more, or not so long; another
    subscription REPLACED it; it was TRANSFERRED to another viewer."""

    LAPSED = "lapsed"
    REFUNDED = "refunded"
    UNDONE = "undone"
    GRANT_TAKEN_BACK = "grant_taken_back"
    COVER_TAKEN_BACK = "cover_taken_back"
    TOLD = "told"
    REPLACED = "replaced"
    TRANSFERRED = "transferred"
    UNEXPLAINED = "unexplained"


class Closing(AnswerShape):
    """When an entitlement ceased, and by what: of a refund its booking, of an operator their name. `telling` is
    what the store said that ended it, of the subscription or of the one that took its place."""

    how: Ending
    at: Moment
    by: str | None = None
    reason: str = ""
    transfer_id: UUID | None = None
    refund: RefundFact | None = None
    telling: TellingFact | None = None


class EntitlementFact(AnswerShape):
    """The right to watch the episode from `starts_at` on. `closing` is null while it stands."""

    entitlement_id: UUID
    source: EntitlementSource
    starts_at: Moment
    ends_at: Moment | None
    first_played_at: Moment | None
    closing: Closing | None
    cause: EntitlementCause | None


class Explanation(AnswerShape):
    """May the viewer watch the episode at `at`, and because of what.

    `entitlement` is the one that stood; `cover` is what opens the episode as soon as it is played, where
    nothing has opened it yet; `earlier` are those that had ceased, newest first. `price` is what the
    version in force at that moment asks, null before there was one, on a device of `platform`, null where the
    viewer had none: another platform may have had another price. Two facts are kept without their past and are those of today:
    which plan prices the series, and the number of the episode.
    """

    viewer_id: UUID
    environment: str
    series_id: UUID
    series_external_id: str
    episode_id: UUID
    number: int
    at: Moment
    may_watch: bool
    reason: Reason
    platform: str | None
    price: PriceFact | None
    entitlement: EntitlementFact | None
    cover: SubscriptionCause | None
    earlier: list[EntitlementFact]


class CauseSource(Protocol):
    """A callable named in settings.ENTITLEMENT_CAUSES: by id, what opened these entitlements.

    Its return annotation, a Mapping, names the kind of cause that it finds.
    """

    def __call__(
        self, entitlements: Sequence[Entitlement], at: datetime
    ) -> Mapping[UUID, EntitlementCause]: ...


def sources() -> Mapping[str, CauseSource]:
    """By the entitlement's source, who knows its cause: apps above this one."""
    return _imported(tuple(settings.ENTITLEMENT_CAUSES.items()))


@lru_cache(maxsize=4)
def _imported(paths: tuple[tuple[str, str], ...]) -> Mapping[str, CauseSource]:
    return {source: import_string(path) for source, path in paths}


def _kind(source: CauseSource) -> type[EntitlementCause]:
    _, kind = get_args(get_type_hints(source)["return"])
    return cast(type[EntitlementCause], kind)
