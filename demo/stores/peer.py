"""A store's HTTP server: answers by its routes, fails by command, and logs every call.

Every peer also answers, beside its store's own addresses:

    GET    /_ready               204
    GET    /_calls?after=N       what was asked after the N-th call, and what was answered
    PUT    /_faults              Orders: how requests fail from now on; {} ends that
    GET    /_clock               {"now": …}
    POST   /_clock               {"advance_seconds": …}: the store's time goes on
    PUT    /_clock               {"now": …}: it is another time, from which it goes on; {} is the machine's
    PUT    /_deliveries          how notifications go wrong, see `demo.stores.deliveries`
    GET    /_deliveries          what is on its way, was delivered and was lost
    POST   /_deliveries/flush    everything that is on its way goes out now; answers when it has

A request that carries `X-Store-Clock`, an RFC 3339 moment, is answered as of then: somebody who lives through
simulated days does something at a time of their own.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec

from config import clock
from demo.stores.deliveries import Deliveries, Manners
from demo.stores.faults import Faults, Kind, Orders, Rule, spoiled
from demo.stores.messages import Answer, Rejected, Request

MAXIMUM_BODY_BYTES = 4 * 1024 * 1024
#: So much of a body is logged.
LOGGED_BYTES = 4096
HANG_SECONDS = 120.0
MOMENT_HEADER = "x-store-clock"

Handler = Callable[[Request, "re.Match[str]"], Answer]


@dataclass(frozen=True)
class Route:
    """Which requests a handler answers: the pattern is of the whole path."""

    method: str
    pattern: str
    handler: Handler


class Call(msgspec.Struct, frozen=True):
    """A request and its answer. `fault` is what befell it, "" if nothing did; `status` 0 is no answer."""

    number: int
    at: datetime
    method: str
    target: str
    body: str
    status: int
    answer: str
    fault: str


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    advance_seconds: float


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    now: datetime | None = None


class Clock:
    """The store's time: the machine's, and what was added to it; for one request, the time that it names."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._of_request = threading.local()

    def __call__(self) -> datetime:
        named: datetime | None = getattr(self._of_request, "moment", None)
        return named or clock.read() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Time goes on at once."""
        self._ahead += by

    def set(self, moment: datetime | None) -> None:
        """Another time, from which it goes on. What was sold later than that stays as it is."""
        self._ahead = timedelta(0) if moment is None else moment.astimezone(UTC) - clock.read()

    @contextmanager
    def at(self, named: str) -> Iterator[None]:
        """Inside, on this thread, it is the moment that a request names, if it names one. Raises Rejected."""
        try:
            moment = datetime.fromisoformat(named).astimezone(UTC) if named else None
        except ValueError as error:
            raise Rejected(Answer.of({"error": f"{MOMENT_HEADER}: {error}"}, status=400)) from error
        self._of_request.moment = moment
        try:
            yield
        finally:
            self._of_request.moment = None


class Peer:
    """One store. `ticked` is called, with the time, whenever time was moved."""

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        folder: Path,
        clock: Clock,
        deliveries: Deliveries,
        ticked: Callable[[datetime], None] = lambda now: None,
    ) -> None:
        self.clock = clock
        self.deliveries = deliveries
        self.faults = Faults()
        self._ticked = ticked
        self._routes = [
            (route.method, re.compile(route.pattern), route.handler)
            for route in (*self._own_routes(), *routes)
        ]
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self._log = (folder / "calls.jsonl").open("ab", buffering=0)

    def serve(self, port: int) -> None:
        """Answers on loopback until the process is ended."""
        handler = type("Handler", (_Handler,), {"peer": self})
        with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
            server.daemon_threads = True
            server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Ends the log; nothing can be answered after."""
        self._log.close()

    def answer(self, request: Request) -> tuple[Answer | None, Rule | None]:
        """What is answered, None if nothing is, and what befell the request. Logged."""
        rule = None if request.path.startswith("/_") else self.faults.drawn(request)
        if rule and rule.kind in {Kind.SLOW, Kind.HANG}:
            time.sleep(rule.seconds or (HANG_SECONDS if rule.kind is Kind.HANG else 1.0))
        answer: Answer | None
        if rule and rule.kind is Kind.STATUS:
            answer = Answer.of({"error": "the store is in trouble"}, status=rule.status)
        else:
            answer = self._handled(request)
            answer = spoiled(answer, rule) if rule else answer
        if rule and rule.kind in {Kind.RESET, Kind.HANG}:
            answer = None
        self._keep(request, answer, rule)
        return answer, rule

    def _handled(self, request: Request) -> Answer:
        found = False
        for method, pattern, handler in self._routes:
            if match := pattern.fullmatch(request.path):
                found = True
                if method == request.method:
                    try:
                        with self.clock.at(request.headers.get(MOMENT_HEADER, "")):
                            return handler(request, match)
                    except Rejected as rejected:
                        return rejected.answer
        return Answer.of({"error": "no such address"}, status=405 if found else 404)

    def _keep(self, request: Request, answer: Answer | None, rule: Rule | None) -> None:
        if request.path.startswith("/_"):
            return
        with self._lock:
            call = Call(
                number=len(self._calls) + 1,
                at=self.clock(),
                method=request.method,
                target=request.target,
                body=request.body[:LOGGED_BYTES].decode(errors="replace"),
                status=answer.status if answer else 0,
                answer=answer.body[:LOGGED_BYTES].decode(errors="replace") if answer else "",
                fault=rule.kind if rule else "",
            )
            self._calls.append(call)
            self._log.write(msgspec.json.encode(call) + b"\n")

    def _own_routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/_ready", lambda request, match: Answer(status=204)),
            Route("GET", "/_calls", self._tell_calls),
            Route("PUT", "/_faults", self._order_faults),
            Route("GET", "/_clock", self._tell_time),
            Route("POST", "/_clock", self._move_time),
            Route("PUT", "/_clock", self._set_time),
            Route("GET", "/_deliveries", self._tell_deliveries),
            Route("PUT", "/_deliveries", self._order_deliveries),
            Route("POST", "/_deliveries/flush", self._flush),
        ]

    def _tell_calls(self, request: Request, match: "re.Match[str]") -> Answer:
        after = request.argument("after", "0")
        if not after.isdecimal():
            raise Rejected(Answer.of({"error": "after is a number"}, status=400))
        with self._lock:
            return Answer.of({"calls": self._calls[int(after) :]})

    def _order_faults(self, request: Request, match: "re.Match[str]") -> Answer:
        try:
            self.faults.order(request.read(Orders))
        except re.error as error:
            raise Rejected(Answer.of({"error": f"a pattern: {error}"}, status=400)) from error
        return Answer(status=204)

    def _tell_time(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of({"now": self.clock()})

    def _move_time(self, request: Request, match: "re.Match[str]") -> Answer:
        by = timedelta(seconds=request.read(Advance).advance_seconds)
        if by < timedelta(0):
            raise Rejected(Answer.of({"error": "time goes on, never back"}, status=400))
        self.clock.advance(by)
        self._ticked(self.clock())
        return self._tell_time(request, match)

    def _set_time(self, request: Request, match: "re.Match[str]") -> Answer:
        moment = request.read(Moment).now
        if moment is not None and moment.tzinfo is None:
            raise Rejected(Answer.of({"error": "a moment has an offset"}, status=400))
        self.clock.set(moment)
        self._ticked(self.clock())
        return self._tell_time(request, match)

    def _tell_deliveries(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of(self.deliveries.told())

    def _order_deliveries(self, request: Request, match: "re.Match[str]") -> Answer:
        self.deliveries.order(request.read(Manners))
        return Answer(status=204)

    def _flush(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of({"left": self.deliveries.flush()})


class _Handler(BaseHTTPRequestHandler):
    peer: ClassVar[Peer]
    protocol_version = "HTTP/1.1"
    timeout = 30
    #: An answer in one segment waits for no acknowledgement of another.
    wbufsize = -1

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAXIMUM_BODY_BYTES:
            self.close_connection = True
            self.send_error(413)
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
        )
        answer, _ = self.peer.answer(request)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """The peer keeps a log of its own."""
