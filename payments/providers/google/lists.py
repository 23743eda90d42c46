"""What Google's orders and earnings say of money, as lines of a list."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from payments.providers import lines
from payments.providers.base import (
    ALL,
    Facts,
    Fault,
    Fee,
    Known,
    Listed,
    ListedKind,
    ProviderError,
)
from payments.providers.google.api import AndroidPublisher
from payments.providers.google.earnings import Earned
from payments.providers.google.names import line_name, token_of
from payments.providers.google.read_back import ReadBack, if_known
from payments.providers.google.refunds import Told
from payments.providers.google.resources import Order
from payments.providers.google.settings import PRODUCTION, SANDBOX
from payments.providers.google.voided import Voided

#: An answer has no room for the thousand that Google allows, nor has an address.
ORDERS_A_REQUEST = 100
#: A report's moment of a refund and the order's are of the same refund, if no more than that is between them.
APART = timedelta(days=1)


class Lists:
    """Asks for what is known by its names; all of it raises ProviderError as `AndroidPublisher` does."""

    def __init__(self, api: AndroidPublisher, read_back: ReadBack) -> None:
        self._api = api
        self._read_back = read_back

    def of_known(self, known: Iterable[Known], *, now: datetime) -> Iterator[Listed]:
        """A purchase by its token, a period by its order, many at once."""
        waiting: list[Known] = []
        for one in known:
            if not one.subscription_id:
                yield from lines.of_facts(self._of_token(one, now))
                continue
            waiting.append(one)
            if len(waiting) == ORDERS_A_REQUEST:
                yield from self._of_periods(waiting, now)
                waiting = []
        yield from self._of_periods(waiting, now)

    def looked_up(self, known: Known, now: datetime) -> Facts:
        """What an order or a token bought."""
        name = known.transaction_id.partition("#")[0]
        if known.subscription_id or name.startswith("GPA."):
            return self._read_back.of_order(self._api.order(name), now)
        return self._read_back.product(token_of(name), Told(now))

    def of_voided(self, voided: Voided, now: datetime) -> Facts:
        """What went back, if Google shows it by now: what it does not is polled again, and rings by itself."""
        try:
            return self._read_back.voided(voided, now)
        except ProviderError:
            return ()

    def of_earnings(self, report: Sequence[Earned], *, now: datetime) -> Iterator[Listed]:
        """A line for each charge with the fee that Google kept of it, and for each refund that its order shows."""
        for start in range(0, len(report), ORDERS_A_REQUEST):
            batch = report[start : start + ORDERS_A_REQUEST]
            orders = self._orders({earned.order_id for earned in batch})
            for earned in batch:
                yield from self._of_earned(earned, orders.get(earned.order_id), now)

    def _of_token(self, known: Known, now: datetime) -> Facts:
        found = if_known(lambda: self._read_back.product(token_of(known.transaction_id), Told(now)))
        return found or ()

    def _of_periods(self, known: Sequence[Known], now: datetime) -> Iterator[Listed]:
        orders = self._orders({one.transaction_id.partition("#")[0] for one in known})
        for one in known:
            order = orders.get(one.transaction_id.partition("#")[0])
            if order is not None:
                yield from lines.of_facts(self._of_order(order, one, now))
            elif one.environment == SANDBOX and self._is_known(one):
                # Google need not keep the orders of test purchases.
                yield _sale(one)

    def _of_order(self, order: Order, known: Known, now: datetime) -> Facts:
        """Without asking whose the subscription is, which no comparison needs."""
        return self._read_back.of_known_order(order, known.environment, now)

    def _is_known(self, known: Known) -> bool:
        token = token_of(known.subscription_id)
        return if_known(lambda: self._api.subscription(token)) is not None

    def _orders(self, order_ids: Iterable[str]) -> Mapping[str, Order]:
        """Those that Google knows. It refuses a whole batch for one that it does not: then each is asked for."""
        asked = sorted(order_ids)
        try:
            found = self._api.orders(asked) if asked else ()
        except ProviderError as error:
            if error.fault not in {Fault.GONE, Fault.MALFORMED}:
                raise
            singly = (if_known(partial(self._api.order, name)) for name in asked)
            found = tuple(order for order in singly if order is not None)
        return {order.order_id: order for order in found}

    def _of_earned(self, earned: Earned, order: Order | None, now: datetime) -> Iterator[Listed]:
        name, subscription_id = _names(earned, order)
        line = order.line(earned.product_id) if order is not None else None
        total = line.total if line is not None else None
        fee = Fee(earned.fee_micros, earned.currency)
        for number, at in enumerate(earned.charges):
            yield Listed(
                kind=ListedKind.SALE,
                environment=PRODUCTION,
                line_id=f"{earned.order_id}#{earned.product_id}#{number}",
                transaction_id=name,
                subscription_id=subscription_id,
                amount_micros=total.micros if total is not None else None,
                currency=total.currency if total is not None else "",
                occurred_at=at,
                fee=None if number else fee,
            )
        if earned.refunds:
            yield from self._refunds(earned, order, name, now)

    def _refunds(
        self, earned: Earned, order: Order | None, name: str, now: datetime
    ) -> Iterator[Listed]:
        """As the order names those of the report's moments; one of an unknown part where it shows none at all."""
        facts = if_known(lambda: self._read_back.of_order(order, now)) if order else None
        shown = [
            line
            for line in lines.of_facts(facts or ())
            if line.kind is ListedKind.REFUND and line.transaction_id == name
        ]
        found = [
            line
            for line in shown
            if any(abs(line.occurred_at - at) <= APART for at in earned.refunds)
        ]
        found = found or shown or [_refund_of_a_part(earned, name)]
        fee = Fee(-earned.fee_back_micros, earned.currency)
        for number, line in enumerate(found):
            yield line if number else replace(line, fee=fee)


def _refund_of_a_part(earned: Earned, name: str) -> Listed:
    return Listed(
        kind=ListedKind.REFUND,
        environment=PRODUCTION,
        line_id=ALL,
        transaction_id=name,
        amount_micros=None,
        has_amount=False,
        currency="",
        occurred_at=earned.refunds[0],
    )


def _names(earned: Earned, order: Order | None) -> tuple[str, str]:
    """How what was earned is named here, and its subscription. Without its order, by the order's name."""
    if order is None:
        return earned.order_id, ""
    lines_count = max(len(order.line_items), 1)
    token = order.purchase_token
    if order.is_of_subscription:
        name = line_name(order.order_id, earned.product_id, lines=lines_count)
        return name, line_name(token, earned.product_id, lines=lines_count)
    return line_name(token, earned.product_id, lines=lines_count), ""


def _sale(known: Known) -> Listed:
    return Listed(
        kind=ListedKind.SALE,
        environment=known.environment,
        line_id=known.transaction_id,
        transaction_id=known.transaction_id,
        subscription_id=known.subscription_id,
        amount_micros=None,
        currency="",
        occurred_at=known.purchased_at,
    )
