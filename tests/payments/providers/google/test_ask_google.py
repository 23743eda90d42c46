"""Whatever Google answers, and if it does not: one error, which says whether it may pass."""

import gzip
from collections.abc import Iterator

import httpx
import pytest

from payments.providers.base import Fault, ProviderError
from payments.providers.google import credentials, transport
from tests.payments.providers.google import play
from tests.payments.providers.google.play import NOW, TOKEN, Play, hint, refusal

PATH = f"purchases/subscriptionsv2/tokens/{TOKEN}"


def failed(google: Play) -> ProviderError:
    with pytest.raises(ProviderError) as error:
        google.adapter.facts_of(hint(), now=NOW)
    return error.value


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(404, "notFound"), Fault.GONE),
        (refusal(404, "purchaseTokenNotFound"), Fault.GONE),
        (refusal(410, "purchaseTokenNoLongerValid"), Fault.GONE),
        (refusal(410, "subscriptionPurchaseNoLongerAvailable"), Fault.GONE),
        (refusal(400, "invalid"), Fault.MALFORMED),
        (refusal(400, "purchaseTokenDoesNotMatchPackageName"), Fault.FOREIGN),
        (refusal(404, "applicationNotFound"), Fault.UNAVAILABLE),
        (refusal(403, "permissionDenied"), Fault.UNAVAILABLE),
        (refusal(403, "quotaExceeded"), Fault.UNAVAILABLE),
        (refusal(400, "rateLimitExceeded"), Fault.UNAVAILABLE),
        (refusal(401, "authError"), Fault.UNAVAILABLE),
        (refusal(409, "aborted"), Fault.UNAVAILABLE),
        (refusal(412), Fault.UNAVAILABLE),
        (refusal(429, "rateLimitExceeded"), Fault.UNAVAILABLE),
        (refusal(500, "backendError"), Fault.UNAVAILABLE),
        (refusal(503), Fault.UNAVAILABLE),
        (httpx.Response(404, text="<html>404. That's an error.</html>"), Fault.UNAVAILABLE),
        (httpx.Response(410, content=b""), Fault.UNAVAILABLE),
        (httpx.Response(404, json={"error": "the store is in trouble"}), Fault.UNAVAILABLE),
        (httpx.Response(404, content=b'{"error": ' + b"[" * 100_000), Fault.UNAVAILABLE),
        (httpx.Response(200, text="<html>We'll be right back</html>"), Fault.UNAVAILABLE),
        (httpx.Response(200, content=b""), Fault.UNAVAILABLE),
        (httpx.Response(200, content=b"null"), Fault.UNAVAILABLE),
        (httpx.Response(200, content=b'{"a": ' + b"[" * 100_000), Fault.UNAVAILABLE),
        (httpx.Response(200, content=b'{"subscriptionState": "SUBSC'), Fault.UNAVAILABLE),
        (httpx.Response(200, json={}), Fault.UNAVAILABLE),
        (httpx.Response(204), Fault.UNAVAILABLE),
        (httpx.Response(206, json=play.subscription()), Fault.UNAVAILABLE),
        (httpx.Response(302, headers={"location": "https://evil.test/"}), Fault.UNAVAILABLE),
        (httpx.Response(304), Fault.UNAVAILABLE),
    ],
    ids=range(30),
)
def test_tells_a_verdict_from_trouble(answer: httpx.Response, expected: Fault) -> None:
    google = Play()
    google.answers[PATH] = answer

    error = failed(google)
    assert (error.fault, error.permanent) == (expected, expected is not Fault.UNAVAILABLE)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("late"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        httpx.ProxyError("no"),
        httpx.DecodingError("gzip"),
        httpx.TooManyRedirects("round"),
        httpx.StreamClosed(),
        httpx.InvalidURL("no"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_no_answer_is_no_verdict(trouble: Exception) -> None:
    google = Play()

    def fail(_: httpx.Request) -> httpx.Response:
        raise trouble

    google.answers[PATH] = fail
    assert failed(google).fault is Fault.UNAVAILABLE


class Endless(httpx.SyncByteStream):
    """An answer that goes on and on."""

    def __init__(self) -> None:
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.sent += 65_536
            yield b" " * 65_536


def test_reads_no_more_than_a_megabyte() -> None:
    google, endless = Play(), Endless()
    google.answers[PATH] = httpx.Response(200, stream=endless)

    assert failed(google).fault is Fault.UNAVAILABLE
    assert endless.sent <= 2 * transport.MAXIMUM_ANSWER_BYTES


def test_asks_for_nothing_that_would_have_to_be_unpacked() -> None:
    google = Play()
    google.has_subscription()
    google.adapter.subscription(environment="production", subscription_id=TOKEN, now=NOW)
    assert {one.headers["accept-encoding"] for one in google.asked} == {"identity"}


def test_reads_no_more_than_a_megabyte_of_what_is_packed() -> None:
    google = Play()
    packed = gzip.compress(b" " * 100_000_000)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed)

    google.answers[PATH] = answer
    assert failed(google).fault is Fault.UNAVAILABLE


def test_waits_for_no_answer_longer_than_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_ANSWER_SECONDS", -1)
    google = Play()
    google.has_subscription()
    assert failed(google).fault is Fault.UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("7", 7), ("0", 0), ("999999", 86_400), ("", None), ("-1", None), ("1.5", None)],
        *[("Sat, 28 Nov 2026 12:00:00 GMT", None), ("9" * 100, None), ("²", None)],
    ],
)
def test_says_when_google_may_be_asked_again(header: str, seconds: int | None) -> None:
    google = Play()
    google.answers[PATH] = httpx.Response(429, headers=[(b"retry-after", header.encode("latin-1"))])
    assert failed(google).retry_after_seconds == seconds


def test_asks_with_one_token_until_it_ends() -> None:
    google = Play()
    google.has_subscription()
    for _ in range(3):
        google.adapter.facts_of(hint(), now=NOW)

    assert google.tokens == 1
    assert {request.headers["authorization"] for request in google.asked} == {"Bearer ya29.1"}


def test_renews_a_token_that_google_does_not_take() -> None:
    google = Play()
    google.has_subscription(lineItems=None, subscriptionState="SUBSCRIPTION_STATE_PENDING")
    good = google.answers[PATH]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] == "Bearer ya29.1":
            return refusal(401, "authError")
        return httpx.Response(200, json=good)

    google.answers[PATH] = answer
    google.adapter.facts_of(hint(), now=NOW)
    assert (google.tokens, len(google.asked)) == (2, 2)


def test_tries_a_token_twice_and_no_more() -> None:
    google = Play()
    google.answers[PATH] = refusal(401, "authError")
    assert failed(google).fault is Fault.UNAVAILABLE
    assert (google.tokens, len(google.asked)) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_grant", "error_description": "no"}),
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(429, headers={"retry-after": "3"}),
        httpx.Response(500),
        httpx.Response(503, text="<html>"),
        httpx.Response(302, headers={"location": "https://evil.test"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"\xff"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json=None),
        httpx.Response(200, json={"access_token": 7}),
        httpx.Response(200, json={"access_token": ""}),
        httpx.Response(200, json={"access_token": "a\r\nHost: evil"}),
        httpx.Response(200, json={"access_token": "é"}),
        httpx.Response(200, json={"access_token": "a", "expires_in": "soon"}),
        httpx.Response(200, json={"access_token": "a", "expires_in": 10**30}),
        httpx.Response(200, json={"access_token": "a", "expires_in": []}),
        httpx.ConnectTimeout("late"),
    ],
    ids=range(20),
)
def test_without_a_token_nothing_is_asked_and_nothing_is_lost(
    answer: httpx.Response | Exception,
) -> None:
    google = Play()
    google.has_subscription()

    def access(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    google.access = access
    assert failed(google).fault is Fault.UNAVAILABLE
    assert google.asked == []
    google.access = lambda _: httpx.Response(200, json={"access_token": "x", "expires_in": 3600})
    google.adapter.facts_of(hint(), now=NOW)


def test_orders_can_be_had_many_at_a_time() -> None:
    google = Play()
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get_list("orderIds"))
        return httpx.Response(200, json={"orders": [play.order(orderId=one) for one in asked[-1]]})

    google.answers["orders:batchGet"] = answer
    ids = [f"GPA.{number}" for number in range(1500)]
    assert [order.order_id for order in google.adapter.api.orders(ids)] == ids
    assert [len(some) for some in asked] == [1000, 500]


def test_what_it_is_built_from_does_not_show_the_key() -> None:
    assert "PRIVATE" not in repr(play.settings())


def test_google_auth_gets_the_whole_answer() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, headers={"x": "1"}, content=b"no")

    request = credentials._OverOurTransport(transport.Transport(httpx.MockTransport(answer)))
    answered = request("https://play.test/token", method="POST", body=b"", timeout=3)
    assert (answered.status, answered.headers["x"], answered.data) == (404, "1", b"no")


def test_a_token_that_was_renewed_meanwhile_is_not_forgotten() -> None:
    google = Play()
    google.has_subscription()
    google.adapter.facts_of(hint(), now=NOW)
    google.adapter.api._tokens.forget("Bearer ya29.0")
    google.adapter.facts_of(hint(), now=NOW)
    assert google.tokens == 1


def test_nothing_is_asked_once_it_is_closed() -> None:
    google = Play()
    google.adapter.close()
    with pytest.raises(RuntimeError):
        google.adapter.facts_of(hint(), now=NOW)
