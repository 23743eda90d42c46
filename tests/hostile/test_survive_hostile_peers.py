"""Bytes that no HTTP client sends, against the real web server: refused, and it serves on."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts import refusals

HOST = "127.0.0.1"
START_SECONDS = 60.0
ANSWER_SECONDS = 10.0
GUEST = b'{"install_id": "0d9a2c52-5a0e-4f0b-a5a7-3f0c7cf2a001", "platform": "symbian"}'


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A web server of the suite's own, started as the Procfile starts it."""
    with socket.create_server((HOST, 0)) as found:
        free = found.getsockname()[1]
    log = tmp_path_factory.mktemp("granian") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "granian",
                    "--interface",
                    "wsgi",
                    "--no-ws",
                    "--host",
                    HOST,
                ),
                *("--port", str(free), "--workers", "1", "--blocking-threads", "4"),
                "config.wsgi:application",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"ALLOWED_HOSTS": HOST},
            start_new_session=True,
        )
    try:
        _wait_until_it_serves(free, server, log)
        yield free
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_until_it_serves(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            if _status(_exchange(port, _get("/livez"))) == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the web server did not start:\n{log.read_text(errors='replace')}")


def _get(path: str, headers: bytes = b"") -> bytes:
    return (
        b"GET "
        + path.encode()
        + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        + headers
        + b"\r\n"
    )


def _post(headers: bytes, body: bytes = b"") -> bytes:
    return (
        b"POST /v1/viewers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\n" + headers + b"\r\n" + body
    )


def _exchange(port: int, sent: bytes, *, hang_up: bool = False) -> bytes:
    """All that the server answers until it closes; hanging up ends our side after the last byte."""
    answered = b""
    connection = socket.create_connection((HOST, port), timeout=ANSWER_SECONDS)
    with connection as peer, contextlib.suppress(ConnectionError):
        peer.sendall(sent)
        if hang_up:
            with contextlib.suppress(OSError):  # the server may have hung up before
                peer.shutdown(socket.SHUT_WR)
        while piece := peer.recv(65536):
            answered += piece
    return answered


def _status(answer: bytes) -> int | None:
    """The status of the first answer, or None when the connection was closed without one."""
    first, _, _ = answer.partition(b"\r\n")
    return int(first.split()[1]) if first.startswith(b"HTTP/1.") else None


#: What the web server itself refuses, before a line of ours runs: an empty 4xx, or it hangs up.
NOT_HTTP = {
    "noise": b"\x00\x01\xff\xfe\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "a line without an end": b"GET /" + b"x" * 500_000,
    "a long address": b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a thousand headers": _get("/livez", b"".join(b"X-%d: y\r\n" % n for n in range(1000))),
    "a header of a megabyte": _get("/livez", b"X: " + b"y" * 1_000_000 + b"\r\n"),
    "a header without a colon": _get("/livez", b"X\r\n"),
    "a NUL in a header": _get("/livez", b"X: a\x00b\r\n"),
    "a line folded": _get("/livez", b"X: a\r\n b\r\n"),
    "a space before a colon": _get("/livez", b"X : a\r\n"),
    "another version": b"GET /livez HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "two lengths": _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"{}{}{}"),
    "a negative length": _post(b"Content-Length: -5\r\n", b"{}"),
    "a signed length": _post(b"Content-Length: +2\r\n", b"{}"),
    "a length of letters": _post(b"Content-Length: two\r\n", b"{}"),
    "a length past 64 bits": _post(b"Content-Length: 99999999999999999999999\r\n", b"{}"),
    "a chunk of no length": _post(b"Transfer-Encoding: chunked\r\n", b"x\r\n{}\r\n0\r\n\r\n"),
    "an encoding it does not know": _post(b"Transfer-Encoding: gzip\r\n", b"{}"),
}
#: What reaches us: a problem with its code.
REFUSED = {
    "a body in chunks": (
        _post(b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        411,
        "length_required",
    ),
    "a long body in chunks": (
        _post(
            b"Transfer-Encoding: chunked\r\n",
            (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 64 + b"0\r\n\r\n",
        ),
        411,
        "length_required",
    ),
    "a body past the limit": (
        _post(b"Content-Length: 1000000\r\n", b" " * 1_000_000),
        413,
        "body_too_large",
    ),
    "a body of less than was asked": (
        _post(b"Content-Length: 2\r\n", b"{}"),
        400,
        "malformed_body",
    ),
    "a value that is not offered": (
        _post(b"Content-Length: %d\r\n" % len(GUEST), GUEST),
        400,
        "malformed_body",
    ),
    "a raw surrogate in the path": (_get("/v1/\xed\xa0\x80"), 404, "not_found"),
    "a NUL in the path": (_get("/v1/%00"), 404, "not_found"),
    "a method of our own": (_get("/v1/config").replace(b"GET", b"BREW"), 405, "method_not_allowed"),
    "another host": (
        _get("/v1/config").replace(b"127.0.0.1", b"evil.example"),
        400,
        "bad_parameter",
    ),
    "a credential of 30 KB": (
        _get("/v1/me", b"Authorization: Bearer " + b"x" * 30_000 + b"\r\n"),
        401,
        "token_invalid",
    ),
    # The web server leaves such a header out.
    "a header that is not ASCII": (
        _get("/v1/me", b"Authorization: Bearer \xff\xfe\r\n"),
        401,
        "not_authenticated",
    ),
}


@pytest.mark.parametrize("sent", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_turns_away(sent: bytes, port: int) -> None:
    status = _status(_exchange(port, sent, hang_up=True))

    assert status is None or 400 <= status < 500 or status in {501, 505}
    assert _status(_exchange(port, _get("/v1/config"))) == 200


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(sent: bytes, status: int, code: str, port: int) -> None:
    answer = _exchange(port, sent)

    problem = answer[answer.find(b"{") : answer.rfind(b"}") + 1]
    assert (_status(answer), refusals.code_of(problem)) == (status, code)
    assert _status(_exchange(port, _get("/v1/config"))) == 200


def test_serves_others_while_peers_hang_up_in_the_middle(port: int) -> None:
    cut = _post(b"Content-Length: 500\r\n", b'{"install_id": ')
    for end in range(0, len(cut), 7):
        with socket.create_connection((HOST, port), timeout=ANSWER_SECONDS) as peer:
            peer.sendall(cut[:end])

    assert _status(_exchange(port, _get("/v1/config"))) == 200


def test_serves_others_while_peers_send_nothing_more(port: int) -> None:
    """More peers than threads: a head that never ends occupies none of them."""
    with contextlib.ExitStack() as idle:
        for _ in range(50):
            peer = socket.create_connection((HOST, port), timeout=ANSWER_SECONDS)
            idle.enter_context(peer).sendall(b"GET /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\n")

        assert _status(_exchange(port, _get("/v1/config"))) == 200
