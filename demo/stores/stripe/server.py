"""Stripe's addresses: the API with its keys and idempotency, the pages, and commands for the other side.

    GET    /_keys                  {"secret_key": …, "webhook_secrets": […]}
    GET    /_sessions/<session>    a checkout as it is, for whoever sees its page
    POST   /_commands/<name>       see `demo.stores.stripe.commands`
    GET    /checkout/<session>     the page to pay on, and its buttons
    GET    /portal/<session>       the page to cancel on

Time is moved as for every peer, by `POST /_clock`; subscriptions renew when it passes the end of their period.
"""

import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from demo.stores.deliveries import Deliveries, Stamp
from demo.stores.kept import Kept
from demo.stores.messages import Answer, Rejected, Request
from demo.stores.peer import Clock, Peer, Route
from demo.stores.stripe import checkouts, commands, pages, payments, subscriptions
from demo.stores.stripe.account import API_VERSION, Account, Answered, State, opened
from demo.stores.stripe.forms import (
    Listing,
    MakeRefund,
    OpenCheckout,
    OpenPayment,
    OpenPortal,
    Parameters,
    read,
    refused,
)
from demo.stores.stripe.shapes import Body, listed

#: Where objects of a kind are read, one by its name and many by a list.
_KINDS: Mapping[str, str] = {
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "checkout/sessions": "checkout.session",
    "customers": "customer",
    "disputes": "dispute",
    "invoice_payments": "invoice_payment",
    "invoices": "invoice",
    "payment_intents": "payment_intent",
    "prices": "price",
    "refunds": "refund",
    "subscriptions": "subscription",
}
#: The events that the endpoint is set up to be sent, as docs/stores/stripe.md tells operators to: others are in the
#: account's list alone.
_SELECTED = (
    *("charge.dispute.", "charge.refund", "checkout.session.", "customer.subscription."),
    *("invoice.", "payment_intent.", "refund."),
)
#: docs.stripe.com/api/idempotent_requests: keys may go once they are a day old.
KEYS_KEPT_SECONDS = 86_400
Act = Callable[[Account, Request, "re.Match[str]"], Body]


class StripePeer:
    """Stripe, with one account, kept in a folder. `webhook_url` is where events go, "" is where they went before;
    `is_live` makes of a new account a live one."""

    def __init__(
        self,
        folder: Path,
        *,
        webhook_url: str = "",
        is_live: bool = False,
        stamp: Stamp | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.kept = Kept[State](folder / "stripe.json", opened(is_live=is_live))
        with self.kept.changing() as state:
            state.webhook_url = webhook_url or state.webhook_url
        self._clock = Clock()
        self._asking: set[str] = set()
        self._lock = threading.Lock()
        self._deliveries = Deliveries(content_type="application/json; charset=utf-8", stamp=stamp)
        self.peer = Peer(
            routes=list(self._routes()),
            folder=folder,
            clock=self._clock,
            deliveries=self._deliveries,
            ticked=self._tick,
        )

    @contextmanager
    def changing(self) -> Iterator[Account]:
        """The account for one call. What it tells goes out when it is written."""
        with self.kept.changing() as state:
            account = Account(state, int(self._clock().timestamp()))
            yield account
            url, signing = state.webhook_url, list(state.webhook_secrets)
        for event in account.told:
            if not event["type"].startswith(_SELECTED):
                continue
            self._deliveries.send(
                name=f"{event['type']} {event['id']}",
                url=url,
                headers=lambda body, sent_at: _signed(body, sent_at, signing),
                body=msgspec.json.encode(event),
                at=datetime.fromtimestamp(event["created"], UTC),
            )

    def _tick(self, now: datetime) -> None:
        with self.changing() as account:
            checkouts.tick(account)
            subscriptions.tick(account)

    def _routes(self) -> Iterator[Route]:
        yield Route("GET", "/_keys", self._keys)
        yield Route("GET", "/_sessions/([A-Za-z0-9_]+)", self._session)
        yield Route("POST", "/_commands/([a-z_]+)", self._command)
        for path, kind in _KINDS.items():
            yield Route("GET", f"/v1/{path}", self._reading(_list_of(kind, f"/v1/{path}")))
            yield Route("GET", f"/v1/{path}/([A-Za-z0-9_]+)", self._reading(_one_of(kind)))
        yield Route("GET", "/v1/events", self._reading(_events))
        yield Route("POST", "/v1/checkout/sessions", self._writing(_open_checkout))
        yield Route("POST", "/v1/checkout/sessions/([A-Za-z0-9_]+)/expire", self._writing(_expire))
        yield Route("POST", "/v1/payment_intents", self._writing(_open_payment))
        yield Route("POST", "/v1/billing_portal/sessions", self._writing(_open_portal))
        yield Route("POST", "/v1/refunds", self._writing(_refund))
        yield Route("GET", "/checkout/([A-Za-z0-9_]+)", self._show_checkout)
        yield Route("POST", "/checkout/([A-Za-z0-9_]+)/([a-z_]+)", self._act_on_checkout)
        yield Route("GET", "/portal/([A-Za-z0-9_]+)", self._show_portal)
        yield Route(
            "POST", "/portal/([A-Za-z0-9_]+)/([A-Za-z0-9_]+)/(cancel|resume)", self._act_on_portal
        )

    def _keys(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.kept.reading() as state:
            return Answer.of(
                {"secret_key": state.secret_key, "webhook_secrets": state.webhook_secrets}
            )

    def _session(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.kept.reading() as state:
            return Answer.of(Account(state, 0).find("checkout.session", match[1]))

    def _command(self, request: Request, match: "re.Match[str]") -> Answer:
        act = commands.BY_NAME.get(match[1])
        if act is None:
            raise Rejected(Answer.of({"error": "no such command"}, status=404))
        with self.changing() as account:
            return Answer.of(act(account, request))

    def _reading(self, act: Act) -> Callable[[Request, "re.Match[str]"], Answer]:
        def answer(request: Request, match: "re.Match[str]") -> Answer:
            with self.kept.reading() as state:
                _admit(request, state)
                account = Account(state, int(self._clock().timestamp()))
                return Answer.of(act(account, request, match))

        return answer

    def _writing(self, act: Act) -> Callable[[Request, "re.Match[str]"], Answer]:
        def answer(request: Request, match: "re.Match[str]") -> Answer:
            key = request.headers.get("idempotency-key", "")
            if len(key) > 255:
                raise refused("Idempotency keys have 255 characters at most")
            with self._alone(key), self.changing() as account:
                _admit(request, account.state)
                return _once(account, request, key, lambda: act(account, request, match))

        return answer

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Nobody else is being answered under the same key."""
        with self._lock:
            if key and key in self._asking:
                raise refused(
                    "There is currently another in-progress request using this idempotent key",
                    status=409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._asking.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._asking.discard(key)

    def _show_checkout(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.kept.reading() as state:
            session = Account(state, 0).find("checkout.session", match[1])
            if session["status"] != "open":
                return pages.closed(f"This checkout is {session['status']}.")
            title = state.objects[state.carts[session["id"]]["price"]["product"]]["name"]
            note = "Your card was declined." if request.argument("declined") else ""
            return pages.checkout(session, title=title, note=note)

    def _act_on_checkout(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.changing() as account:
            session = account.find("checkout.session", match[1])
            onwards = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
            if match[2] == "cancel":
                return pages.redirect(session["cancel_url"] or session["url"])
            if match[2] == "decline":
                checkouts.decline(account, session)
                return pages.redirect(f"{session['url']}?declined=1")
            checkouts.pay(account, session, slowly=match[2] == "pay_slowly")
            return pages.redirect(onwards)

    def _show_portal(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.kept.reading() as state:
            account = Account(state, 0)
            session = account.find("billing_portal.session", match[1])
            every = account.every("subscription")
            return pages.portal(
                session, [one for one in every if one["customer"] == session["customer"]]
            )

    def _act_on_portal(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.changing() as account:
            session = account.find("billing_portal.session", match[1])
            subscription = account.find("subscription", match[2])
            if subscription["customer"] != session["customer"]:
                raise refused("No such subscription", status=404)
            if match[3] == "cancel":
                subscriptions.cancel(account, subscription, at_period_end=True)
            else:
                subscriptions.resume(account, subscription)
            return pages.redirect(session["url"])


def _admit(request: Request, state: State) -> None:
    """Who may ask, and in which version. Raises Rejected."""
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {state.secret_key}".encode()):
        raise refused("Invalid API Key provided", status=401)
    if request.headers.get("stripe-version") != API_VERSION:
        raise refused(f"This account is spoken to in {API_VERSION}")


def _once(account: Account, request: Request, key: str, act: Callable[[], Body]) -> Answer:
    """What was answered under the key before, or is now. What was refused is not kept, and nothing for longer than
    a day of the account's."""
    for old in [
        name for name, one in account.state.answered.items() if _is_forgotten(one, account)
    ]:
        del account.state.answered[old]
    asked = f"{request.path} {hashlib.sha256(request.body).hexdigest()}"
    before = account.state.answered.get(key) if key else None
    if before is not None:
        if before.request != asked:
            raise refused(
                "Keys for idempotent requests can only be used with the same parameters they were "
                "first used with.",
                kind="idempotency_error",
            )
        return Answer(before.status, before.body.encode(), headers={"Idempotent-Replayed": "true"})
    answer = Answer.of(act())
    if key:
        account.state.answered[key] = Answered(
            asked, answer.status, answer.body.decode(), account.now
        )
    return answer


def _is_forgotten(answered: Answered, account: Account) -> bool:
    return account.now - answered.at >= KEYS_KEPT_SECONDS


def _signed(body: bytes, sent_at: datetime, signing: Sequence[str]) -> Mapping[str, str]:
    """Signed at a moment, which is not the account's but that of whoever checks it."""
    time = str(int(sent_at.timestamp()))
    content = time.encode() + b"." + body
    digests = [hmac.new(one.encode(), content, hashlib.sha256).hexdigest() for one in signing]
    return {"Stripe-Signature": ",".join([f"t={time}", *(f"v1={one}" for one in digests)])}


def _one_of(kind: str) -> Act:
    def act(account: Account, request: Request, match: "re.Match[str]") -> Body:
        asked = read(_query(request), Parameters)
        found = account.find(kind, match[1])
        return _expanded(account, found, asked.expand)

    return act


def _list_of(kind: str, url: str) -> Act:
    def act(account: Account, request: Request, match: "re.Match[str]") -> Body:
        asked = read(_query(request), Listing)
        found = [one for one in account.every(kind) if _passes(one, asked)]
        inner = [name.removeprefix("data.") for name in asked.expand]
        return _page([_expanded(account, one, inner) for one in found], asked, url)

    return act


def _events(account: Account, request: Request, match: "re.Match[str]") -> Body:
    asked = read(_query(request), Listing)
    found = [
        event
        for event in reversed(account.state.events)
        if asked.created.holds(event["created"]) and asked.type in {"", event["type"]}
    ]
    return _page(found, asked, "/v1/events")


def _passes(one: Body, asked: Listing) -> bool:
    parent = (one.get("parent") or {}).get("subscription_details") or {}
    payment = (one.get("payment") or {}).get("payment_intent")
    return (
        ("created" not in one or asked.created.holds(one["created"]))
        and asked.payment_intent in {"", one.get("payment_intent")}
        and asked.subscription in {"", parent.get("subscription")}
        and asked.invoice in {"", one.get("invoice")}
        and asked.status in {"", one.get("status")}
        and (asked.payment is None or asked.payment.payment_intent == payment)
    )


def _page(found: list[Body], asked: Listing, url: str) -> Body:
    ids = [one["id"] for one in found]
    if asked.starting_after and asked.starting_after not in ids:
        raise refused(f"No such object: '{asked.starting_after}'", code="resource_missing")
    begin = ids.index(asked.starting_after) + 1 if asked.starting_after else 0
    if not 1 <= asked.limit <= 100:
        raise refused("limit is 1 to 100")
    end = begin + asked.limit
    return listed(found[begin:end], url, has_more=end < len(found))


def _expanded(account: Account, found: Body, names: Sequence[str]) -> Body:
    inside = {
        name: account.state.objects[found[name]]
        for name in names
        if isinstance(found.get(name), str)
    }
    return found | inside


def _query(request: Request) -> bytes:
    return urlsplit(request.target).query.encode()


def _address(request: Request) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def _open_checkout(account: Account, request: Request, match: "re.Match[str]") -> Body:
    asked = read(request.body, OpenCheckout)
    return checkouts.create(account, asked, address=_address(request))


def _expire(account: Account, request: Request, match: "re.Match[str]") -> Body:
    session = account.find("checkout.session", match[1])
    checkouts.expire(account, session)
    return session


def _open_payment(account: Account, request: Request, match: "re.Match[str]") -> Body:
    asked = read(request.body, OpenPayment)
    return payments.create(
        account,
        amount=asked.amount,
        currency=asked.currency,
        description=asked.description,
        metadata=asked.metadata,
        automatic_payment_methods={"enabled": True},
    )


def _open_portal(account: Account, request: Request, match: "re.Match[str]") -> Body:
    return checkouts.open_portal(account, read(request.body, OpenPortal), address=_address(request))


def _refund(account: Account, request: Request, match: "re.Match[str]") -> Body:
    return payments.refund(account, read(request.body, MakeRefund))
