"""Google as one process: the API, the tokens for it, the keys, and pushes.

All of Google is at one address here: `/androidpublisher/v3/…`, `/token`, `/certs`, and commands (`commands`).
"""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from demo.stores.deliveries import Deliveries, Stamp
from demo.stores.google import answers, commands, goods, publisher, subscribing
from demo.stores.google.accounts import Accounts
from demo.stores.google.books import Books, Push
from demo.stores.google.contract import Contract
from demo.stores.google.refusals import invalid
from demo.stores.google.till import Till
from demo.stores.kept import Kept
from demo.stores.messages import Answer, Request
from demo.stores.peer import Clock, Peer, Route

PACKAGE_NAME = "app.cliffhanger.demo"
ROOT = "/androidpublisher/v3/applications/"
_TOKEN = "([A-Za-z0-9._-]+)"  # noqa: S105  a pattern
_NEVER_IN_A_LOOP = 100_000


class GooglePeer:
    """Google Play, with one app, kept in a folder. `discovery` is Google's document, to judge calls by."""

    def __init__(
        self,
        folder: Path,
        *,
        address: str,
        package_name: str = PACKAGE_NAME,
        push_url: str = "",
        discovery: Path | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._package_name = package_name
        self._address = address
        self._contract = Contract(discovery) if discovery and discovery.exists() else None
        self._violations: list[str] = []
        self._accounts = Accounts(folder, address=address)
        self._kept = Kept[Books](folder / "google.json", Books())
        self._clock = Clock()
        self._deliveries = Deliveries(stamp=stamp)
        with self._kept.changing() as books:
            if push_url:
                books.push = msgspec.structs.replace(books.push, url=push_url)
        self.peer = Peer(
            routes=list(self._routes()),
            folder=folder,
            clock=self._clock,
            deliveries=self._deliveries,
            ticked=self._catch_up,
        )

    def _routes(self) -> Iterator[Route]:
        yield Route("POST", "/token", self._give_access)
        yield Route("GET", "/certs", lambda request, match: self._accounts.keys())
        for (verb, path), call in publisher.CALLS.items():
            pattern = re.escape(f"{ROOT}{self._package_name}") + path
            yield Route(verb, pattern, self._publishing(call))
        yield Route("GET", "/_app", self._tell_app)
        yield Route("GET", "/_push", lambda request, match: Answer.of(self._push()))
        yield Route("PUT", "/_push", self._set_push)
        yield Route("GET", "/_violations", lambda request, match: Answer.of(self._violations))
        yield Route("GET", "/_questions", self._tell_questions)
        yield Route("POST", "/_test", self._try_out)
        yield Route("POST", "/_purchases", self._sell)
        yield Route("GET", f"/_purchases/{_TOKEN}", self._purchase)
        yield Route("POST", f"/_purchases/{_TOKEN}/([a-z_]+)", self._about_purchase)
        yield Route("POST", "/_subscriptions", self._subscribe)
        yield Route("GET", f"/_subscriptions/{_TOKEN}", self._subscription)
        yield Route("POST", f"/_subscriptions/{_TOKEN}/([a-z_]+)", self._about_subscription)

    @contextmanager
    def _reading(self) -> Iterator[Till]:
        """The books as they are now."""
        self._catch_up(self._clock())
        with self._kept.reading() as books:
            yield Till(books, self._clock())

    @contextmanager
    def _changing(self) -> Iterator[Till]:
        """The till for one call. What it tells goes out when it is written."""
        self._catch_up(self._clock())
        with self._selling(self._clock()) as till:
            yield till

    def _catch_up(self, now: datetime) -> None:
        """Everything that is due by now happens by itself, in the order of its moments."""
        with self._kept.reading() as books:
            if not _is_due(Till(books, now)):
                return
            with self._selling(now) as till:
                _go_on(till)

    @contextmanager
    def _selling(self, now: datetime) -> Iterator[Till]:
        with self._kept.changing() as books:
            till = Till(books, now)
            yield till
            pushes = [(at, *self._envelope(books, at, content)) for at, content in till.told]
            push = books.push
        for at, message_id, body in pushes:
            self._deliveries.send(
                name=message_id,
                url=push.url,
                headers=lambda body, sent_at: self._accounts.push_headers(push, sent_at),
                body=body,
                at=at,
            )

    def _envelope(self, books: Books, at: datetime, content: Any) -> tuple[str, bytes]:
        """A push's message id and body: the id is new for each message, and the same when it is sent again."""
        books.messages += 1
        message_id = str(13_000_000_000_000_000 + books.messages)
        data = {
            "version": "1.0",
            "packageName": self._package_name,
            "eventTimeMillis": answers.milliseconds(at),
            **content,
        }
        message = {
            "data": base64.b64encode(msgspec.json.encode(data)).decode(),
            "messageId": message_id,
            "message_id": message_id,
            "publishTime": answers.moment(at),
            "publish_time": answers.moment(at),
        }
        return message_id, msgspec.json.encode(
            {"message": message, "subscription": books.push.subscription}
        )

    def _publishing(self, call: publisher.Call) -> Callable[[Request, "re.Match[str]"], Answer]:
        def answer(request: Request, match: "re.Match[str]") -> Answer:
            with self._reading() if request.method == "GET" else self._changing() as till:
                publisher.authorised(till, request)
                self._judge_request(request)
                made = publisher.answered(call, till, request, match)
            self._judge_answer(request, made)
            return made

        return answer

    def _judge_request(self, request: Request) -> None:
        """What Google would not take is refused, and written down. Raises Rejected."""
        if self._contract is None:
            return
        method = self._contract.method(request.method, request.path)
        wrong = ["no such call"]
        if method is not None:
            wrong = self._contract.wrong_request(method, request.query, request.body)
        if wrong:
            self._violations += [f"asked {request.method} {request.path}: {one}" for one in wrong]
            raise invalid("; ".join(wrong))

    def _judge_answer(self, request: Request, made: Answer) -> None:
        if self._contract is None:
            return
        method = self._contract.method(request.method, request.path)
        if method is None:
            return
        wrong = self._contract.wrong_answer(method, made.body)
        self._violations += [f"answered {request.method} {request.path}: {one}" for one in wrong]

    def _give_access(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._kept.changing() as books:
            return self._accounts.give_access(books, request)

    def _push(self) -> Push:
        with self._kept.reading() as books:
            return books.push

    def _set_push(self, request: Request, match: "re.Match[str]") -> Answer:
        push = request.read(Push)
        with self._kept.changing() as books:
            books.push = push
        return Answer(status=204)

    def _tell_app(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of(
            {
                "package_name": self._package_name,
                "service_account": self._accounts.service_account,
                "push": self._push(),
                "api_url": self._address,
                "token_url": f"{self._address}/token",
                "keys_url": f"{self._address}/certs",
            }
        )

    def _tell_questions(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._kept.reading() as books:
            return Answer.of(list(books.questions.values()))

    def _try_out(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._changing() as till:
            till.tell("testNotification", {"version": "1.0"})
        return Answer(status=204)

    def _sell(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._changing() as till:
            return Answer.of(goods.sell(till, request.read(goods.Sale)))

    def _purchase(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._reading() as till:
            return Answer.of(till.purchase(match[1]))

    def _about_purchase(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._changing() as till:
            purchase = till.purchase(match[1])
            commands.about_purchase(till, purchase, match[2], request)
            return Answer.of(purchase)

    def _subscribe(self, request: Request, match: "re.Match[str]") -> Answer:
        signup = request.read(subscribing.Signup)
        if min(signup.plan.period_days, signup.plan.price_micros + 1) <= 0:
            raise invalid("a plan has a period and a price")
        with self._changing() as till:
            return Answer.of(subscribing.subscribe(till, signup))

    def _subscription(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._reading() as till:
            return Answer.of(till.subscription(match[1]))

    def _about_subscription(self, request: Request, match: "re.Match[str]") -> Answer:
        with self._changing() as till:
            subscription = till.subscription(match[1])
            commands.about_subscription(till, subscription, match[2], request)
            return Answer.of(subscription)


def _is_due(till: Till) -> bool:
    return any(one.at <= till.now for one in _due(till))


def _go_on(till: Till) -> None:
    until = till.now
    for _ in range(_NEVER_IN_A_LOOP):
        due = min(_due(till), key=lambda one: one.at, default=None)
        if due is None or due.at > until:
            return
        till.now = due.at
        due.happen()
    raise RuntimeError("time goes on without end")


class _Due(NamedTuple):
    at: datetime
    happen: Callable[[], None]


def _due(till: Till) -> Iterator[_Due]:
    for purchase in till.books.purchases.values():
        forgotten_at = goods.forgotten_at(till, purchase)
        if forgotten_at is not None:
            yield _Due(forgotten_at, partial(goods.forget_unacknowledged, till, purchase))
    for found in till.books.subscriptions.values():
        forgotten_at, at = subscribing.forgotten_at(found), subscribing.due_at(found)
        if forgotten_at is not None:
            yield _Due(forgotten_at, partial(subscribing.forget_unacknowledged, till, found))
        if at is not None:
            yield _Due(at, partial(subscribing.go_on, till, found))
