"""What can be had of Google Play by command: it is bought there, paid there and regretted there.

POST   /_purchases                       a `goods.Sale`; answers the purchase, its token in it
GET    /_purchases/TOKEN
POST   /_purchases/TOKEN/complete | cancel      what was pending is paid, or is not
POST   /_purchases/TOKEN/refund          a `goods.Return`: {} is all, {"quantity": 1} some
POST   /_purchases/TOKEN/ask             Google asks about a refund
POST   /_subscriptions                   a `subscribing.Signup`; with `replaces` an upgrade
GET    /_subscriptions/TOKEN
POST   /_subscriptions/TOKEN/complete | never_pay | renew | grace | hold | decline | recover | resume
POST   /_subscriptions/TOKEN/cancel | restart | expire
POST   /_subscriptions/TOKEN/pause       {"days": 7}
POST   /_subscriptions/TOKEN/revoke      {"is_prorated": false, "reason": 0}
POST   /_subscriptions/TOKEN/refund      {"order_id": "", "reason": 1}: a period's money, the last one's
POST   /_subscriptions/TOKEN/change      {"plan": …}: from the next renewal on
POST   /_subscriptions/TOKEN/ask
POST   /_test                            the console's trial
GET    /_questions                       what Google asked, and what was answered
GET    /_push, PUT /_push                where notifications go, and what their tokens say
GET    /_app                             what a backend has to know
GET    /_violations                      what was asked or answered against Google's document
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from demo.stores.google import goods, subscribing
from demo.stores.google.books import Plan, Purchase, Question, Subscription
from demo.stores.google.refusals import unknown
from demo.stores.google.till import Till
from demo.stores.messages import Request

_PLAIN: Mapping[str, Callable[[Till, Subscription], None]] = {
    "complete": subscribing.complete,
    "never_pay": subscribing.never_pay,
    "renew": subscribing.renew,
    "grace": subscribing.grace,
    "hold": subscribing.hold,
    "decline": subscribing.decline,
    "recover": subscribing.recover,
    "resume": subscribing.resume,
    "cancel": subscribing.cancel,
    "restart": subscribing.restart,
    "expire": subscribing.expire,
}


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: float = 7.0


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    is_prorated: bool = False
    reason: int = 0


class PeriodsReturn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    order_id: str = ""
    reason: int = 1


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plan: Plan


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str = "REMORSE"


def about_purchase(till: Till, purchase: Purchase, verb: str, request: Request) -> None:
    """Raises Rejected."""
    match verb:
        case "complete":
            goods.complete(till, purchase)
        case "cancel":
            goods.cancel(till, purchase)
        case "refund":
            goods.give_back(till, purchase, request.read(goods.Return))
        case "ask":
            _ask(till, purchase.order_id, purchase.account, request.read(Asked))
        case _:
            raise unknown("command")


def about_subscription(till: Till, subscription: Subscription, verb: str, request: Request) -> None:
    """Raises Rejected."""
    match verb:
        case "pause":
            subscribing.pause(till, subscription, request.read(Pause).days)
        case "revoke":
            asked = request.read(Revocation)
            subscribing.revoke(
                till, subscription, is_prorated=asked.is_prorated, reason=asked.reason
            )
        case "refund":
            back = request.read(PeriodsReturn)
            subscribing.give_back(till, subscription, back.order_id, back.reason)
        case "change":
            subscribing.change_at_renewal(till, subscription, request.read(Change).plan)
        case "ask":
            order_id, account = subscription.paid_order_id, subscription.account
            _ask(till, order_id, account, request.read(Asked))
        case _ if verb in _PLAIN:
            _PLAIN[verb](till, subscription)
        case _:
            raise unknown("command")


def _ask(till: Till, order_id: str, account: str, asked: Asked) -> None:
    question = Question(secrets.token_urlsafe(32), till.order(order_id).order_id, till.now)
    till.books.questions[question.pending_token] = question
    content: dict[str, Any] = {
        "version": "1.0",
        "pendingRefundToken": question.pending_token,
        "orderId": order_id,
        "refundReason": asked.reason,
    }
    if account:
        content["obfuscatedAccountId"] = account
    till.tell("pendingRefundReviewNotification", content)
