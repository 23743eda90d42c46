"""Who subscribes, who regrets, and who goes on with a subscription on another phone."""

import uuid
from contextlib import suppress
from datetime import datetime, timedelta

from demo.answers import PassOffer
from demo.client import StillWaits, ViewerClient
from demo.simulation import dice
from demo.simulation.counts import Counts
from demo.simulation.dice import happens
from demo.simulation.fates import FATES, Ahead, Fate
from demo.simulation.phones import Phone
from demo.simulation.population import NAMESPACE
from demo.stores.buying import Bought

#: How likely who pays would rather subscribe, asked at each visit after the first.
SUBSCRIBES = 0.35
#: Of all who buy coins in a store, how many think better of it.
REGRETS = 0.08


def subscribe(phone: Phone) -> None:
    """The viewer subscribes, if they are of that mind."""
    roll = phone.dice("subscribe")
    if phone.store is None or phone.account.is_subscriber or not phone.account.visits:
        return
    if not phone.person.generosity or not happens(roll, SUBSCRIBES):
        return
    offer = _affordable(phone)
    if offer is None:
        return
    intent = phone.app.pass_intent(offer.pass_id, provider=phone.store.provider)
    phone.clock.pass_ms(6_000)
    bought = phone.store.buy(phone.app, intent, at=phone.clock.moment)
    with suppress(StillWaits):
        phone.app.submit(bought.handed_in, provider=phone.store.provider)
    phone.account.is_subscriber = True
    phone.account.spent_micros += offer.price.amount_micros
    phone.counts.subscriptions += 1
    fate = dice.chosen(roll, FATES)
    due = phone.clock.moment + timedelta(days=roll.uniform(1, 4))
    phone.ahead.append(Ahead(due, fate, phone.account, phone.store, bought))


def regret(phone: Phone, bought: Bought) -> None:
    """Few think better of the coins that they just bought."""
    roll = phone.dice("regret", phone.account.spent_micros)
    if phone.store is not None and happens(roll, REGRETS):
        due = phone.clock.moment + timedelta(days=roll.uniform(0.5, 3))
        phone.ahead.append(Ahead(due, Fate.REFUNDED, phone.account, phone.store, bought))


def move(one: Ahead, app: ViewerClient, *, at: datetime) -> Counts:
    """Restores a subscription on another phone, whose app is a new guest: whoever has the store's account has it."""
    app.guest()
    counts = Counts()
    handed_in = one.store.on_device(one.bought, at=at)
    (restored,) = app.restore([handed_in], provider=one.store.provider, transfer=True)
    counts.restored += restored.outcome in {"yours", "transferred"}
    return counts


def second_install_id(*, seed: int, number: int) -> str:
    """What the app made on a viewer's other phone."""
    return str(uuid.uuid5(NAMESPACE, f"{seed}/{number}/second"))


def _affordable(phone: Phone) -> PassOffer | None:
    offers = [
        one
        for one in phone.app.passes()
        if one.is_renewing and one.price.amount_micros <= phone.account.budget_micros
    ]
    return max(offers, key=lambda one: one.price.amount_micros, default=None)
