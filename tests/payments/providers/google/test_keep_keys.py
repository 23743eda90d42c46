"""Google's keys are kept as long as Google says, and asked for again when one is missing: not too often."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from payments.providers.base import Fault, ProviderError
from payments.providers.google import keys
from payments.providers.google.keys import KeyDocument, SigningKeys, read_keys
from payments.providers.google.transport import Transport
from tests.payments.providers.google.play import KEY, NOW, OTHER_KEY, Play, bearer, jwks, push

MINUTE = timedelta(minutes=1)


class Google:
    """Hands out a document, or fails."""

    def __init__(self, *, keep: timedelta = timedelta(hours=1)) -> None:
        self.document = httpx.Response(200, json=jwks(KEY)).content
        self.keep = keep
        self.is_there = True
        self.times = 0

    def fetch(self) -> KeyDocument:
        self.times += 1
        if not self.is_there:
            raise ProviderError("out of reach", Fault.UNAVAILABLE)
        return KeyDocument(self.document, self.keep)


def fault(ask: Callable[[], object]) -> Fault | None:
    try:
        ask()
    except ProviderError as error:
        return error.fault
    return None


def test_asks_once_for_as_long_as_google_says() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    for minutes in (0, 30, 59):
        kept.key("1", now=NOW + minutes * MINUTE)
    assert google.times == 1
    kept.key("1", now=NOW + 60 * MINUTE)
    assert google.times == 2


@pytest.mark.parametrize(
    ("said", "minutes"), [(timedelta(0), 5), (timedelta(days=365), 24 * 60)], ids=str
)
def test_keeps_them_for_five_minutes_at_least_and_a_day_at_most(
    said: timedelta, minutes: int
) -> None:
    google = Google(keep=said)
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    kept.key("1", now=NOW + minutes * MINUTE - timedelta(seconds=1))
    assert google.times == 1
    kept.key("1", now=NOW + minutes * MINUTE)
    assert google.times == 2


def test_finds_a_key_that_is_new() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    google.document = httpx.Response(200, json=jwks(KEY, OTHER_KEY)).content

    assert (
        kept.key("2", now=NOW + MINUTE).public_numbers() == OTHER_KEY.public_key().public_numbers()
    )


def test_forgets_a_key_that_google_took_back() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    google.document = httpx.Response(200, json=jwks(OTHER_KEY, first_id=2)).content
    assert fault(lambda: kept.key("1", now=NOW + 61 * MINUTE)) is Fault.FORGED


def test_asks_for_made_up_ids_twice_a_minute_at_most() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    for tenth in range(600):
        moment = NOW + timedelta(seconds=tenth / 10)
        assert fault(lambda tenth=tenth, at=moment: kept.key(f"made-up-{tenth}", now=at)) is (
            Fault.FORGED
        )
    assert google.times == 2
    kept.key("1", now=NOW + MINUTE)
    assert google.times == 2


def test_a_clock_that_is_put_back_does_not_stop_the_asking() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    google.document = httpx.Response(200, json=jwks(KEY, OTHER_KEY)).content
    kept.key("2", now=NOW - timedelta(days=300))


def test_old_keys_do_for_a_day_while_google_is_out_of_reach() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    google.is_there = False
    late = NOW + 60 * MINUTE
    kept.key("1", now=late)
    kept.key("1", now=late + timedelta(hours=23, minutes=59))
    assert fault(lambda: kept.key("1", now=late + timedelta(hours=24))) is Fault.UNAVAILABLE
    assert fault(lambda: kept.key("1", now=late + timedelta(hours=24))) is Fault.UNAVAILABLE
    google.is_there = True
    kept.key("1", now=late + timedelta(hours=24, minutes=1))


def test_a_google_out_of_reach_holds_up_pushes_no_more_often_while_old_keys_do() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    google.is_there = False
    for second in range(60):
        kept.key("1", now=NOW + 60 * MINUTE + timedelta(seconds=second))
    assert google.times == 1 + 2


def test_no_verdict_without_google() -> None:
    google = Google()
    google.is_there = False
    kept = SigningKeys(google.fetch)
    assert fault(lambda: kept.key("1", now=NOW)) is Fault.UNAVAILABLE
    assert fault(lambda: kept.key("1", now=NOW)) is Fault.UNAVAILABLE
    google.is_there = True
    kept.key("1", now=NOW + keys.RETRY_INTERVAL)
    google.is_there = False
    assert fault(lambda: kept.key("2", now=NOW + MINUTE)) is Fault.UNAVAILABLE


def test_asks_again_soon_while_it_has_no_keys() -> None:
    google = Google()
    google.is_there = False
    kept = SigningKeys(google.fetch)
    for tenth in range(100):
        moment = NOW + timedelta(seconds=tenth / 10)
        assert fault(lambda at=moment: kept.key("1", now=at)) is Fault.UNAVAILABLE
    assert google.times == 10 * timedelta(seconds=1) / keys.RETRY_INTERVAL


def _entry(**changes: Any) -> dict[str, Any]:
    (entry,) = jwks(OTHER_KEY, first_id=2)["keys"]
    return {name: value for name, value in (entry | changes).items() if value is not None}


@pytest.mark.parametrize(
    "entry",
    [
        _entry(kid=None),
        _entry(kid=7),
        _entry(n="!"),
        _entry(n=None),
        _entry(n=7),
        _entry(e="AA"),
        _entry(e=""),
        _entry(n="AQAB"),
    ],
    ids=range(8),
)
def test_takes_no_document_that_it_cannot_read_whole(entry: dict[str, Any]) -> None:
    document = {"keys": [*jwks(KEY)["keys"], entry]}
    assert fault(lambda: read_keys(httpx.Response(200, json=document).content)) is (
        Fault.UNAVAILABLE
    )


@pytest.mark.parametrize(
    "entry",
    [_entry(kty="EC"), _entry(use="enc"), _entry(alg="RS512"), _entry(d="AQAB"), 7, None],
    ids=range(6),
)
def test_passes_over_keys_of_another_kind(entry: Any) -> None:
    document = {"keys": [*jwks(KEY)["keys"], entry]}
    assert list(read_keys(httpx.Response(200, json=document).content)) == ["1"]


@pytest.mark.parametrize(
    "document",
    [
        *(b"", b"<html>", b"null", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"\xff"),
        *(b'{"keys": ' + b"[" * 100_000, b'{"keys": [' + b"{}," * 100 + b"{}]}"),
    ],
    ids=lambda document: repr(document[:20]),
)
def test_takes_no_document_without_keys(document: bytes) -> None:
    assert fault(lambda: read_keys(document)) is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("public, max-age=19800, must-revalidate, no-transform", 19800),
        ("max-age=7", 7),
        ("s-maxage=9, MAX-AGE=8", 8),
        ("no-store", 0),
        ("max-age=-1", 0),
        ("max-age=" + "9" * 12, 0),
    ],
)
def test_reads_how_long_they_may_be_kept(header: str, seconds: int) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=jwks(KEY), headers={"cache-control": header})

    fetch = keys.fetched_from("https://play.test/certs", Transport(httpx.MockTransport(answer)))
    assert fetch().keep == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(302, headers={"location": "https://evil.test/certs"}),
        httpx.Response(503),
        httpx.Response(404),
        httpx.ConnectTimeout("late"),
        httpx.Response(200, content=b" " * (1024 * 1024 + 1)),
    ],
    ids=range(6),
)
def test_a_push_waits_while_the_keys_cannot_be_had(answer: Any) -> None:
    google = Play()

    def document(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    google.documents = document
    message = push(token=bearer())
    assert fault(lambda: google.adapter.read_message(message, now=NOW)) is Fault.UNAVAILABLE
    google.documents = lambda _: httpx.Response(200, json=jwks(KEY))
    google.adapter.read_message(message, now=NOW + timedelta(seconds=30))


def test_a_fetch_that_hangs_holds_up_no_push_whose_key_is_known() -> None:
    google = Google()
    kept = SigningKeys(google.fetch)
    kept.key("1", now=NOW)
    hangs, may_end = threading.Event(), threading.Event()

    def hang() -> KeyDocument:
        hangs.set()
        assert may_end.wait(10)
        return KeyDocument(google.document)

    kept._fetch = hang
    later = NOW + MINUTE
    asking = threading.Thread(target=lambda: fault(lambda: kept.key("made-up", now=later)))
    asking.start()
    assert hangs.wait(10)
    kept.key("1", now=later)
    may_end.set()
    asking.join()


@pytest.mark.parametrize("is_there", [True, False], ids=["in time", "in vain"])
def test_many_threads_fetch_once(is_there: bool) -> None:
    google = Google()
    google.is_there = is_there

    def slow() -> KeyDocument:
        time.sleep(0.2)
        return google.fetch()

    kept = SigningKeys(slow)

    def ask(number: int) -> None:
        fault(lambda: kept.key("1", now=NOW + number * MINUTE))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert google.times == 1
