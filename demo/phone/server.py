"""What the page in the browser needs of a phone: the app's files, its network, and the SDKs of its stores.

    GET  /                          the app
    *    /v1/…, /media/…            the service, as the app would call it
    GET  /sdk/stores                which stores this phone has
    POST /sdk/<store>/buy           an intent as the service answered it; answers what is handed in
    POST /sdk/stripe/paid           {"session_id": …}: the same, once the buyer came back from Stripe's page
    POST /sdk/<store>/on_device     something bought: what the store's account has of it, on whichever phone
    POST /sdk/<store>/<verb>        cancel, decline, recover or refund something bought

Stripe has no SDK here: its pages are opened, and its checkout leads back to the app.
"""

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import msgspec

from config import clock
from demo.answers import Intent
from demo.stores.addresses import LOOPBACK, Addresses
from demo.stores.buying import AppStore, Bought, GooglePlay, Stripe
from demo.transport import Refused, Unreachable

PAGES = Path(__file__).parent / "pages"
FILES = {
    "/": ("phone.html", "text/html; charset=utf-8"),
    "/phone.js": ("phone.js", "text/javascript; charset=utf-8"),
    "/phone.css": ("phone.css", "text/css; charset=utf-8"),
}
MAXIMUM_BODY_BYTES = 1024 * 1024
PASSED_ON = ("authorization", "content-type", "idempotency-key", "accept-language")
ANSWERED = ("content-type", "retry-after", "idempotent-replayed")


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Phone:
    """Answers on loopback until the process is ended."""

    def __init__(self, at: Addresses) -> None:
        self._backend = httpx.Client(base_url=at.backend, timeout=30, trust_env=False)
        self._stores: Mapping[str, AppStore | GooglePlay | Stripe] = {
            "apple": AppStore(at.url("apple")),
            "google": GooglePlay(at.url("google")),
            "stripe": Stripe(at.url("stripe")),
        }

    def serve(self, port: int) -> None:
        """Answers on loopback until the process is ended."""
        handler = type("Handler", (_Handler,), {"phone": self})
        with ThreadingHTTPServer((LOOPBACK, port), handler) as server:
            server.daemon_threads = True
            server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Ends its connections."""
        self._backend.close()
        for store in self._stores.values():
            store.close()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What the page gets."""
        path = target.partition("?")[0]
        if path in FILES:
            name, kind = FILES[path]
            return Answer(200, {"content-type": kind}, (PAGES / name).read_bytes())
        if path.startswith(("/v1/", "/media/", "/fake-store/")):
            return self._passed_on(method, target, headers, body)
        if path == "/sdk/stores":
            return _told(sorted(self._stores))
        match path.split("/"):
            case ["", "sdk", store, verb] if store in self._stores and method == "POST":
                return self._by_sdk(store, verb, body)
        return _told({"detail": "no such address"}, status=404)

    def _passed_on(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        passed = {name: headers[name] for name in PASSED_ON if name in headers}
        try:
            answer = self._backend.request(method, target, headers=passed, content=body)
        except httpx.TransportError as error:
            return _told({"detail": f"the service does not answer: {error}"}, status=502)
        kept = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
        return Answer(answer.status_code, kept, answer.content)

    def _by_sdk(self, name: str, verb: str, body: bytes) -> Answer:
        store, at = self._stores[name], clock.read()
        try:
            if verb == "buy" and not isinstance(store, Stripe):
                bought = store.sell(msgspec.json.decode(body, type=Intent), at=at)
                return _told(msgspec.to_builtins(bought))
            if verb == "paid" and isinstance(store, Stripe):
                session_id = msgspec.json.decode(body, type=dict[str, str])["session_id"]
                return _told(msgspec.to_builtins(store.paid(session_id, at=at)))
            bought = msgspec.json.decode(body, type=Bought)
            if verb == "on_device":
                return _told({"handed_in": store.on_device(bought, at=at)})
            acts: Mapping[str, Callable[[], None]] = {
                "cancel": lambda: store.cancel(bought, at=at),
                "decline": lambda: store.decline(bought, at=at),
                "recover": lambda: store.recover(bought, at=at),
                "refund": lambda: store.refund(bought, at=at),
            }
            if verb not in acts:
                return _told({"detail": "no such verb"}, status=404)
            acts[verb]()
        except (msgspec.DecodeError, LookupError) as error:
            return _told({"detail": str(error)}, status=400)
        except Refused as refusal:
            return _told({"detail": f"the store refuses: {refusal.members}"}, status=409)
        except Unreachable as error:
            return _told({"detail": f"the store does not answer: {error}"}, status=502)
        return _told({})


class _Handler(BaseHTTPRequestHandler):
    phone: ClassVar[Phone]
    protocol_version = "HTTP/1.1"
    timeout = 30
    wbufsize = -1

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAXIMUM_BODY_BYTES:
            self.close_connection = True
            self.send_error(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(length))
        answer = self.phone.answer(self.command, self.path, headers, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """The service and the stores keep logs of their own."""


def _told(value: object, *, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, msgspec.json.encode(value))
