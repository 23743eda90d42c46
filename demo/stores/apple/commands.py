"""What can be had of the store by command: it is bought there, paid there and regretted there.

    GET    /_app                                    who is sold for, and where notifications go
    PUT    /_notify                                 {"Production": url, "Sandbox": url}
    POST   /_purchases                              a Sale; answers the transaction, signed
    GET    /_transactions/ID                        the transaction as a device has it now
    POST   /_transactions/ID/refund                 {"percentage": 100000, "reason": 0}
    POST   /_transactions/ID/reverse-refund | decline-refund
    POST   /_transactions/ID/ask                    {"reason": "UNINTENDED_PURCHASE"}
    GET    /_subscriptions/ID                       how it is, and its last transaction, signed
    POST   /_subscriptions/ID/renew | recover | expire | cancel | resume | resubscribe
    POST   /_subscriptions/ID/fail                  {"grace_days": 16}: 0 is no grace
    POST   /_subscriptions/ID/upgrade | downgrade   {"product_id": …, "price": …}
    POST   /_subscriptions/ID/raise-price           {"price": …}
    POST   /_subscriptions/ID/consent | revoke-family
    GET    /_consumption                            what was answered about consumption

A subscription's ID is its original transaction's. Time is moved at `/_clock`, and what is due happens in its order.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from demo.stores.apple.shop import WHOLE, Sale, Shop
from demo.stores.messages import Answer, Rejected, Request
from demo.stores.peer import Route

Handler = Callable[[Request, "re.Match[str]"], Answer]
Done = Callable[[str], object]


class Refund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    percentage: int = WHOLE
    reason: int = 0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str = "UNINTENDED_PURCHASE"


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    grace_days: int | None = None


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    product_id: str
    price: int


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: int


class Commands:
    """The addresses above."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/_app", lambda request, match: Answer.of(self._shop.app)),
            Route("PUT", "/_notify", self._notify),
            Route("POST", "/_purchases", self._sell),
            Route("GET", "/_transactions/([0-9]+)", self._signed),
            Route("POST", "/_transactions/([0-9]+)/([a-z-]+)", self._about_transaction),
            Route("GET", "/_subscriptions/([0-9]+)", self._subscription),
            Route("POST", "/_subscriptions/([0-9]+)/([a-z-]+)", self._about_subscription),
            Route("GET", "/_consumption", self._consumption),
        ]

    def _notify(self, request: Request, match: "re.Match[str]") -> Answer:
        self._shop.notify(request.read(dict[str, str]))
        return Answer(status=204)

    def _sell(self, request: Request, match: "re.Match[str]") -> Answer:
        purchase = self._shop.sell(request.read(Sale))
        return self._told(purchase.transaction_id)

    def _signed(self, request: Request, match: "re.Match[str]") -> Answer:
        return self._told(match[1])

    def _about_transaction(self, request: Request, match: "re.Match[str]") -> Answer:
        shop, name = self._shop, match[1]
        if match[2] == "refund":
            refund = request.read(Refund)
            shop.refund(name, refund.percentage, refund.reason)
        elif match[2] == "ask":
            shop.ask(name, request.read(Question).reason)
        else:
            simple: dict[str, Done] = {
                "reverse-refund": shop.reverse_refund,
                "decline-refund": shop.decline_refund,
            }
            _known(simple, match[2])(name)
        return self._told(name)

    def _subscription(self, request: Request, match: "re.Match[str]") -> Answer:
        return self._state(match[1])

    def _about_subscription(self, request: Request, match: "re.Match[str]") -> Answer:
        shop, name, verb = self._shop, match[1], match[2]
        if verb == "fail":
            shop.fail(name, request.read(Failure).grace_days)
        elif verb in {"upgrade", "downgrade"}:
            to = request.read(Product)
            shop.change(name, to.product_id, to.price, is_upgrade=verb == "upgrade")
        elif verb == "raise-price":
            shop.raise_price(name, request.read(Price).price)
        elif verb in {"cancel", "resume"}:
            shop.set_renewal(name, is_on=verb == "resume")
        else:
            simple: dict[str, Done] = {
                "renew": shop.renew,
                "recover": shop.recover,
                "expire": shop.expire,
                "resubscribe": shop.resubscribe,
                "consent": shop.consent,
                "revoke-family": shop.revoke_family,
            }
            _known(simple, verb)(name)
        return self._state(name)

    def _consumption(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._shop.books.reading() as books:
            return Answer.of({"consumption": books.consumption})

    def _told(self, transaction_id: str) -> Answer:
        signed = self._shop.signed(transaction_id)
        return Answer.of({"transaction_id": transaction_id, "signed_transaction": signed})

    def _state(self, original_id: str) -> Answer:
        self._shop.catch_up()
        with self._shop.books.reading() as books:
            if original_id not in books.subscriptions:
                raise Rejected(Answer.of({"error": "no such subscription"}, status=404))
            subscription = books.subscriptions[original_id]
            told = msgspec.to_builtins(subscription)
            signed = self._shop.signed(subscription.last)
            return Answer.of(told | {"signed_transaction": signed})


def _known(commands: dict[str, Done], verb: str) -> Done:
    if verb not in commands:
        raise Rejected(Answer.of({"error": "no such command"}, status=404))
    return commands[verb]
