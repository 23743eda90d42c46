"""An explanation in sentences that support can read out, each with the page of its row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch
from uuid import UUID

import msgspec
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from payments.admin import formats
from payments.models import EntitlementSource, Ownership, UnlockWay
from payments.support.explanations import (
    Closing,
    CoinsCause,
    ConsentFact,
    Ending,
    EntitlementCause,
    EntitlementFact,
    Explanation,
    GrantCause,
    GrantFact,
    GrantSource,
    LotSource,
    PassFact,
    PeriodSource,
    PriceFact,
    PromoSource,
    PurchaseSource,
    Reason,
    RefundFact,
    ReturnSource,
    RewardSource,
    SpentLot,
    SubscriptionCause,
    SubscriptionFact,
    TellingFact,
)
from viewers.models import Platform

WAYS = {
    UnlockWay.SINGLE: "unlocked with",
    UnlockWay.BUNDLE: "unlocked with the rest of the series, for",
    UnlockWay.AUTO: "unlocked without a tap, as agreed, for",
    UnlockWay.RENTAL: "rented for",
}
ENDINGS = {
    Ending.LAPSED: "lapsed",
    Ending.REFUNDED: "was closed by a refund",
    Ending.UNDONE: "was undone",
    Ending.GRANT_TAKEN_BACK: "was taken back",
    Ending.COVER_TAKEN_BACK: "ended with its pass, which was taken back",
    Ending.TOLD: "ended with its subscription, by the store's word",
    Ending.REPLACED: "ended with its subscription, whose place another took",
    Ending.TRANSFERRED: "ended with its subscription, which went to another viewer",
    Ending.UNEXPLAINED: "was closed, and nothing says why",
}


@dataclass(frozen=True)
class Line:
    """One fact: what it is about, the sentence, when it was, and the page of its row."""

    about: str
    says: str
    at: datetime | None = None
    link: SafeString | str = ""


def answer(told: Explanation) -> str:
    """Yes or no, and the shortest reason."""
    if told.reason is Reason.UNPUBLISHED:
        return "No: it was not published."
    if told.reason is Reason.FREE:
        return f"Yes: episode {told.number} was free for everybody."
    if told.reason is Reason.LOCKED:
        cost = f"{told.price.price_coins:,} coins" if told.price else "what had no price yet"
        return f"No: it would have cost {cost}, and {_why_not(told.earlier)}."
    if told.entitlement is None:
        return "Yes: a subscription or pass covered it, and opens it as it is played."
    return f"Yes: {_opened(told.entitlement)}."


def standing(told: Explanation) -> Sequence[Line]:
    """The chain behind a yes, from the right to watch down to what paid for it; and the price."""
    chain = list(_entitlement(told.entitlement)) if told.entitlement else []
    covered = list(_cause(told.cover)) if told.cover else []
    where = f" on {Platform(told.platform).label}" if told.platform else ""
    price = [_price(f"Price in force{where}", told.price)] if told.price else []
    return [*chain, *covered, *price]


def earlier(told: Explanation) -> Sequence[Sequence[Line]]:
    """Of each right that had ended: how, and the chain behind it."""
    return [list(_entitlement(fact)) for fact in told.earlier]


def _why_not(ended: Sequence[EntitlementFact]) -> str:
    if not ended or ended[0].closing is None:
        return "nothing had opened it"
    return f"what had opened it {ENDINGS[ended[0].closing.how]}"


def _opened(fact: EntitlementFact) -> str:
    if isinstance(fact.cause, CoinsCause):
        return f"{WAYS[fact.cause.way]} {fact.cause.price.price_coins:,} coins"
    return {
        EntitlementSource.COINS: "unlocked with coins",
        EntitlementSource.AD: "opened by a rewarded ad",
        EntitlementSource.SUBSCRIPTION: "opened under a subscription or pass",
        EntitlementSource.GRANT: "given by an operator",
    }[fact.source]


def _entitlement(fact: EntitlementFact) -> Iterator[Line]:
    until = f"until {_moment(fact.ends_at)}" if fact.ends_at else "for good"
    played = (
        f"first played {_moment(fact.first_played_at)}" if fact.first_played_at else "not played"
    )
    says = f"{_opened(fact).capitalize()}, {until}; {played}"
    yield Line("Right", says, fact.starts_at, formats.link("entitlement", fact.entitlement_id))
    if fact.closing:
        yield _closing(fact.closing)
    if fact.cause:
        yield from _cause(fact.cause)


def _closing(closing: Closing) -> Line:
    by = f" by {closing.by}" if closing.by else ""
    reason = f": {closing.reason}" if closing.reason else ""
    if closing.telling:
        reason = f": {_told(closing.telling)}"
    link: SafeString | str = ""
    if closing.refund:
        link = formats.link("refund", closing.refund.refund_id)
    elif closing.transfer_id:
        link = formats.link("transfer", closing.transfer_id)
    return Line("End", f"It {ENDINGS[closing.how]}{by}{reason}", closing.at, link)


@singledispatch
def _cause(cause: EntitlementCause) -> Iterator[Line]:
    """What an app above this one knows: its members as they are, and the rows that they name."""
    for name, value in msgspec.structs.asdict(cause).items():
        says = _moment(value) if isinstance(value, datetime) else str(value)
        link = _row_link(cause.rows[name], value) if name in cause.rows and value else ""
        yield Line(name.replace("_", " ").capitalize(), says, link=link)


@_cause.register
def _(cause: CoinsCause) -> Iterator[Line]:
    coins = " + ".join(
        f"{coins:,} {kind}"
        for kind, coins in (("paid", cause.paid_coins), ("bonus", cause.bonus_coins))
        if coins
    )
    worth = f"recognised {formats.money(cause.value_micros)}"
    if cause.standing_micros != cause.value_micros:
        worth += f", of which {formats.money(cause.standing_micros)} stands"
    link = formats.link("unlock", cause.unlock_id)
    yield Line("Unlock", f"{coins} coins; {worth}", cause.unlocked_at, link)
    if cause.restores_unlock_id:
        link = formats.link("unlock", cause.restores_unlock_id)
        yield Line(
            "Instead of", "An unlock that a refund had undone before it was reversed", link=link
        )
    yield _price("Price charged", cause.price)
    if cause.consent:
        yield from _consent(cause.consent)
    promised = (
        f"Numbering {cause.numbering}, {'arm ' + cause.arm if cause.arm else 'no experiment'}"
    )
    if cause.quote_expires_at:
        promised += f"; honoured until {_moment(cause.quote_expires_at)}"
    yield Line("Quote", promised)
    if cause.bundle_id:
        yield Line("Bundle", f"All that was bought with it has bundle id {cause.bundle_id}")
    for lot in cause.lots:
        yield from _lot(lot)
    for row in cause.corrections:
        says = f"{formats.money(row.value_micros)} of revenue, {row.because.replace('_', ' ')}"
        yield Line("Correction", says, row.at, formats.link("transfer", row.transfer_id))


def _consent(consent: ConsentFact) -> Iterator[Line]:
    ended = f"; ended {_moment(consent.ended_at)}" if consent.ended_at else ""
    says = f"Up to {consent.daily_cap_coins:,} coins a day for this series{ended}"
    yield Line("Agreed to", says, consent.agreed_at)
    yield _price("Price agreed to", consent.price)


@_cause.register
def _(cause: SubscriptionCause) -> Iterator[Line]:
    closed = f", taken back {_moment(cause.closed_at)}" if cause.closed_at else ""
    says = f"Every episode until {_moment(cause.ends_at)}{closed}"
    yield Line("Cover", says, cause.starts_at)
    if cause.grant:
        yield _grant(cause.grant)
    if cause.purchase:
        yield _pass(cause.purchase)
        yield from (_refund(refund, cause.purchase.currency) for refund in cause.purchase.refunds)
    if cause.subscription:
        yield from _subscription(cause.subscription)


def _subscription(told: SubscriptionFact) -> Iterator[Line]:
    until = f", open until {_moment(told.access_until)}" if told.access_until else ""
    place = f"; {told.replaced_by} took its place" if told.replaced_by else ""
    shared = " (shared by a family)" if told.ownership is Ownership.FAMILY_SHARED else ""
    says = (
        f"{told.pass_title} ({told.pass_code}){shared}: {told.state.label.lower()}{until}{place}; "
        f"{told.provider} {told.name}"
    )
    yield Line("Subscription", says, told.as_of)
    for telling in told.tellings:
        outdated = "; something later was known" if telling.is_outdated else ""
        message = f"; message {telling.message_id}" if telling.message_id else ""
        yield Line("Told", f"{_told(telling)}{message}{outdated}", telling.told_at)
    for transfer in told.transfers:
        by = f", by {transfer.by}" if transfer.by else ""
        says = f"From viewer {transfer.from_viewer_id} to {transfer.to_viewer_id}{by}"
        yield Line("Transferred", says, transfer.at)
    for period in told.periods:
        yield _pass(period)
        yield from (_refund(refund, period.currency) for refund in period.refunds)


def _told(telling: TellingFact) -> str:
    until = f" until {_moment(telling.access_until)}" if telling.access_until else ""
    return (
        f"{telling.cause.label} said: {telling.pass_code}, {telling.state.label.lower()}{until}, "
        f"as of {_moment(telling.as_of)}"
    )


@_cause.register
def _(cause: GrantCause) -> Iterator[Line]:
    yield _grant(cause.grant)


def _lot(lot: SpentLot) -> Iterator[Line]:
    says = f"{lot.coins:,} of {lot.granted_coins:,} {lot.lot_kind} coins, {formats.money(lot.value_micros)}"
    yield Line("Lot", says, lot.granted_at, formats.link("lot", lot.lot_id))
    if lot.source is not None:
        yield from _source(lot.source)


def _source(source: LotSource) -> Iterator[Line]:
    if isinstance(source, PurchaseSource):
        yield _purchase(source)
        yield from (_refund(refund, source.currency) for refund in source.refunds)
    elif isinstance(source, GrantSource):
        yield _grant(source.grant)
    elif isinstance(source, RewardSource):
        yield Line("Earned", f"By an ad or a task: {source.reference}")
    elif isinstance(source, PromoSource):
        yield Line("Redeemed", f"Promo code {source.promo_code}")
    elif isinstance(source, PeriodSource):
        yield _pass(source.period)
        yield from (_refund(refund, source.period.currency) for refund in source.period.refunds)
    elif isinstance(source, ReturnSource):
        link = formats.link("transfer", source.undone_transfer_id)
        yield Line("Returned", "Had repaid a debt that did not stand", link=link)


def _purchase(source: PurchaseSource) -> Line:
    price = formats.money(source.gross_micros, source.currency)
    says = (
        f"{source.pack_code} for {price}, net {formats.money(source.net_micros)}; "
        f"{source.provider} {source.transaction_id}"
    )
    return Line("Bought", says, source.purchased_at, formats.link("purchase", source.purchase_id))


def _pass(bought: PassFact) -> Line:
    price = formats.money(bought.gross_micros, bought.currency)
    says = (
        f"{bought.pass_title} ({bought.pass_code}) for {price}, net "
        f"{formats.money(bought.net_micros)}; {bought.provider} {bought.transaction_id}"
    )
    if bought.subscription_id:
        says += f"; from {_moment(bought.starts_at)} to {_moment(bought.ends_at)}"
    about = "Period" if bought.subscription_id else "Bought"
    return Line(about, says, bought.purchased_at, formats.link("passpurchase", bought.purchase_id))


def _refund(refund: RefundFact, currency: str) -> Line:
    amount = formats.money(refund.gross_micros, currency)
    undone = f", undone {_moment(refund.undone_at)}" if refund.undone_at else ""
    by = f" by {refund.by or refund.origin}" if refund.origin else ""
    reason = f" ({refund.reason})" if refund.reason else ""
    coins = (
        f": {refund.taken_coins:,} coins taken, {refund.debt_coins:,} owed"
        if refund.due_coins
        else ""
    )
    says = f"{amount} went back{by}{reason}{coins}{undone}"
    return Line("Refund", says, refund.booked_at, formats.link("refund", refund.refund_id))


def _grant(grant: GrantFact) -> Line:
    what = {"coins": f"{grant.coins} coins", "pass": f"a pass of {grant.pass_days} days"}
    agreed = f", agreed by {grant.agreed_by}" if grant.agreed_by != grant.asked_by else ""
    back = f"; taken back by {grant.taken_back_by}" if grant.taken_back_at else ""
    given = what.get(grant.what, "this episode")
    says = f"{grant.asked_by} gave {given}{agreed} ({grant.reason}: {grant.note}){back}"
    return Line("Given", says, grant.agreed_at, formats.link("grant", grant.grant_id))


def _price(about: str, price: PriceFact) -> Line:
    rule = f"{price.free_count:,} free, then {price.base_price_coins:,} coins"
    arms = "".join(f"; experiment {one.experiment}, arm {one.arm}" for one in price.arms)
    says = f"Episode {price.number}: {price.price_coins:,} coins. {price.plan}: {rule}{arms}"
    link = formats.link("priceversion", price.price_version_id)
    return Line(about, says, price.effective_from, link)


def _row_link(label: str, identifier: UUID) -> SafeString:
    url = reverse(f"admin:{label.replace('.', '_')}_change", args=[identifier])
    return format_html('<a class="ch-link" href="{}">{}</a>', url, formats.short_id(identifier))


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "–"
