"""The reference client repeats what may be repeated, with the very same request."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from demo.client import ViewerClient, new_key
from demo.transport import ATTEMPTS, Refused, Transport, Unreachable

TOKENS = {
    "viewer_id": "v",
    "access_token": "first",
    "access_token_expires_at": "2026-03-14T12:15:00Z",
    "refresh_token": "r1",
}
UNLOCKED = {
    "outcome": "unlocked",
    "episode_id": "e",
    "entitlement_id": "n",
    "price_coins": 60,
    "paid_coins": 60,
    "bonus_coins": 0,
    "balance": {"coins": 440, "paid_coins": 440, "bonus_coins": 0},
}
Answer = tuple[int, dict[str, str], Any]
LOST: Answer = (0, {}, None)


class Service:
    """A service on loopback that answers each request as a script says, and remembers them."""

    def __init__(self, script: list[Answer]) -> None:
        self.script = script
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.pauses: list[float] = []
        self.url = ""

    def transport(self) -> Transport:
        return Transport(self.url, timeout_seconds=5, pause=self.pauses.append)

    def sent(self, header: str) -> list[str | None]:
        return [headers.get(header) for _, _, headers, _ in self.requests]


@pytest.fixture
def serve() -> Iterator[Callable[[list[Answer]], Service]]:
    with _servers() as serve:
        yield serve


@contextmanager
def _servers() -> Iterator[Callable[[list[Answer]], Service]]:
    running: list[ThreadingHTTPServer] = []

    def serve(script: list[Answer]) -> Service:
        service = Service(script)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        running.append(server)
        return service

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.requests.append((self.command, self.path, dict(self.headers), body))
            status, headers, answer = service.script.pop(0)
            if status == 0:  # the work was done, and the reply is lost
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if status != 304:
                self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *args: object) -> None:
            return

    return Handler


def problem(status: int, code: str, **headers: str) -> Answer:
    return status, headers, {"code": code, "title": code, "status": status}


def test_repeats_an_unlock_with_its_key_until_it_is_answered(serve) -> None:
    service = serve(
        [
            (201, {}, TOKENS),
            problem(409, "busy"),
            problem(503, "unavailable"),
            LOST,
            (200, {"Idempotent-Replayed": "true"}, UNLOCKED),
        ]
    )
    key = new_key()
    with service.transport() as transport:
        app = ViewerClient(transport)
        app.guest()
        unlock = app.unlock("e", quote="q", key=key)

    assert unlock.answer.balance.coins == 440
    assert unlock.is_replay
    assert service.sent("Idempotency-Key") == [None, key, key, key, key]
    assert {body for _, path, _, body in service.requests if path.endswith("/unlock")} == {
        b'{"quote":"q"}'
    }


def test_waits_as_long_as_the_service_says(serve) -> None:
    service = serve(
        [
            problem(503, "unavailable", **{"Retry-After": "2"}),
            problem(503, "unavailable", **{"Retry-After": "3600"}),
            problem(409, "busy"),
            (201, {}, TOKENS),
        ]
    )
    with service.transport() as transport:
        ViewerClient(transport).guest()

    assert service.pauses == [2.0, 5.0, 0.4]


def test_does_not_repeat_what_was_decided(serve) -> None:
    service = serve([(201, {}, TOKENS), problem(409, "quote_expired")])
    with service.transport() as transport:
        app = ViewerClient(transport)
        app.guest()
        with pytest.raises(Refused) as refusal:
            app.unlock("e", quote="q", key=new_key())

    assert (refusal.value.status, refusal.value.code) == (409, "quote_expired")
    assert len(service.requests) == 2
    assert service.pauses == []


def test_says_when_no_answer_came(serve) -> None:
    service = serve([LOST] * ATTEMPTS)
    with service.transport() as transport, pytest.raises(Unreachable):
        ViewerClient(transport).guest()

    assert service.script == []


def test_hands_on_the_last_refusal_of_a_service_that_stays_away(serve) -> None:
    service = serve([(503, {}, "not a problem document")] * ATTEMPTS)
    with service.transport() as transport, pytest.raises(Refused) as refusal:
        ViewerClient(transport).guest()

    assert (refusal.value.status, refusal.value.code) == (503, "")
    assert service.script == []


def test_renews_expired_tokens_once_and_repeats_the_request(serve) -> None:
    renewed = {**TOKENS, "access_token": "second", "refresh_token": "r2"}
    service = serve(
        [
            (201, {}, TOKENS),
            problem(401, "token_expired"),
            (200, {}, renewed),
            (200, {}, {"viewer_id": "v"}),
            problem(401, "token_expired"),
            (200, {}, renewed),
            problem(401, "token_expired"),
        ]
    )
    with service.transport() as transport:
        app = ViewerClient(transport)
        app.guest()
        assert app.me().viewer_id == "v"
        with pytest.raises(Refused):
            app.me()

    assert service.sent("Authorization")[1:4] == ["Bearer first", None, "Bearer second"]
    assert json.loads(service.requests[2][3]) == {"refresh_token": "r1"}
    assert service.script == []


def test_reads_again_by_etag(serve) -> None:
    page: dict[str, Any] = {"series_id": "s", "episodes": [], "next_cursor": None}
    service = serve([(200, {"ETag": '"one"'}, page), (304, {}, None)])
    with service.transport() as transport:
        app = ViewerClient(transport)
        assert app.episodes("s") == app.episodes("s") == []

    assert service.sent("If-None-Match") == [None, '"one"']
    assert app.revalidated == 1
