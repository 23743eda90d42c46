"""Access tokens: what is accepted, and everything that must not be."""

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from config import keyring
from tests.factories.viewers import DeviceFactory, clock_headers
from viewers import tokens
from viewers.models import ApiKey, Device, Viewer

DEEP = '{"a":' * 300 + "1" + "}" * 300


def encoded(data: bytes | str | dict[str, Any]) -> str:
    if isinstance(data, dict):
        data = json.dumps(data)
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def access_key() -> bytes:
    keys = keyring.keys_for("access")
    return keys.by_id[keys.signing_id]


@dataclass
class Forgery:
    """A token as we would sign it, every part of it open to change."""

    device: Device
    now: datetime
    header: dict[str, Any] = field(init=False)
    claims: dict[str, Any] = field(init=False)
    key: bytes = field(init=False)
    digest: str = "sha256"

    def __post_init__(self) -> None:
        issued = int(self.now.timestamp())
        self.key = access_key()
        self.header = {
            "alg": "HS256",
            "kid": keyring.keys_for("access").signing_id,
            "typ": "at+jwt",
        }
        self.claims = {
            "iss": "cliffhanger",
            "aud": "viewer",
            "sub": str(self.device.viewer_id),
            "did": str(self.device.id),
            "env": "production",
            "iat": issued,
            "exp": issued + 900,
        }

    def token(self) -> str:
        return self.signed(encoded(self.header), encoded(self.claims))

    def signed(self, header: str, payload: str) -> str:
        message = f"{header}.{payload}"
        return f"{message}.{encoded(hmac.digest(self.key, message.encode(), self.digest))}"

    def with_header(self, **changes: Any) -> str:
        self.header = {k: v for k, v in (self.header | changes).items() if v is not ...}
        return self.token()

    def with_claims(self, **changes: Any) -> str:
        self.claims = {k: v for k, v in (self.claims | changes).items() if v is not ...}
        return self.token()

    def at(self, **shift: float) -> int:
        return int((self.now + timedelta(**shift)).timestamp())


def respelled(signature: str) -> str:
    """Other text for the same bytes: the lowest bits of the last character belong to none."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(signature + "=")
    return other


def bearer(token: str) -> str:
    return f"Bearer {token}"


def unsigned(alg: str) -> Callable[[Forgery], str]:
    def make(forgery: Forgery) -> str:
        token = forgery.with_header(alg=alg)
        return bearer(token.rsplit(".", 1)[0] + ".")

    return make


def unsigned_with_signature_kept(forgery: Forgery) -> str:
    signature = forgery.token().rsplit(".", 1)[1]
    return bearer(forgery.with_header(alg="none").rsplit(".", 1)[0] + "." + signature)


def longer_digest(name: str, alg: str) -> Callable[[Forgery], str]:
    def make(forgery: Forgery) -> str:
        forgery.digest = name
        return bearer(forgery.with_header(alg=alg))

    return make


def signed_by_rsa(forgery: Forgery) -> str:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    forgery.header |= {"alg": "RS256", "jwk": {"kty": "RSA", "pem": public.decode()}}
    message = f"{encoded(forgery.header)}.{encoded(forgery.claims)}"
    signature = private.sign(message.encode(), padding.PKCS1v15(), SHA256())
    return bearer(f"{message}.{encoded(signature)}")


def signed_with(key: Callable[[], bytes]) -> Callable[[Forgery], str]:
    def make(forgery: Forgery) -> str:
        forgery.key = key()
        return bearer(forgery.token())

    return make


def other_purpose() -> bytes:
    keys = keyring.keys_for("playback")
    return keys.by_id[keys.signing_id]


def ring_secret() -> bytes:
    from django.conf import settings

    return next(iter(keyring.parse(settings.KEYRING).values()))


def header(**changes: Any) -> Callable[[Forgery], str]:
    return lambda forgery: bearer(forgery.with_header(**changes))


def claims(**changes: Any) -> Callable[[Forgery], str]:
    return lambda forgery: bearer(forgery.with_claims(**changes))


def time_claims(**shifts: dict[str, float]) -> Callable[[Forgery], str]:
    return lambda forgery: bearer(
        forgery.with_claims(**{name: forgery.at(**shift) for name, shift in shifts.items()})
    )


def around(before: str, after: str = "") -> Callable[[Forgery], str]:
    return lambda forgery: f"{before}{forgery.token()}{after}"


def parts(change: Callable[[list[str]], list[str]]) -> Callable[[Forgery], str]:
    return lambda forgery: bearer(".".join(change(forgery.token().split("."))))


def literal(value: str) -> Callable[[Forgery], str]:
    return lambda forgery: value


def raw_parts(header_text: str, claims_text: str) -> Callable[[Forgery], str]:
    return lambda forgery: bearer(forgery.signed(encoded(header_text), encoded(claims_text)))


INVALID = "token_invalid"
EXPIRED = "token_expired"
MISSING = "not_authenticated"
CONFUSIONS: dict[str, tuple[Callable[[Forgery], str], str]] = {
    # Algorithms
    "alg none": (unsigned("none"), INVALID),
    "alg None": (unsigned("None"), INVALID),
    "alg empty": (unsigned(""), INVALID),
    "alg none, signature kept": (unsigned_with_signature_kept, INVALID),
    "alg HS512, our key": (longer_digest("sha512", "HS512"), INVALID),
    "alg HS384, our key": (longer_digest("sha384", "HS384"), INVALID),
    "alg hs256": (header(alg="hs256"), INVALID),
    "alg a list": (header(alg=["HS256"]), INVALID),
    "alg missing": (header(alg=...), INVALID),
    "alg RS256 with its own key": (signed_by_rsa, INVALID),
    # Keys
    "key of another purpose": (signed_with(other_purpose), INVALID),
    "the ring's secret itself": (signed_with(ring_secret), INVALID),
    "an empty key": (signed_with(lambda: b""), INVALID),
    "a stranger's key": (signed_with(lambda: hashlib.sha256(b"guess").digest()), INVALID),
    "kid unknown": (header(kid="k9999"), INVALID),
    "kid missing": (header(kid=...), INVALID),
    "kid a path": (header(kid="../../../../dev/null"), INVALID),
    "kid a query": (header(kid="x' UNION SELECT 'key"), INVALID),
    "kid a number": (header(kid=1), INVALID),
    "kid a list": (header(kid=["k1"]), INVALID),
    "kid null": (header(kid=None), INVALID),
    "crit unknown": (header(crit=["exp"]), INVALID),
    "b64 false": (header(b64=False, crit=["b64"]), INVALID),
    # Claims
    "typ JWT": (header(typ="JWT"), INVALID),
    "typ missing": (header(typ=...), INVALID),
    "iss another": (claims(iss="elsewhere"), INVALID),
    "iss a list": (claims(iss=["cliffhanger"]), INVALID),
    "iss missing": (claims(iss=...), INVALID),
    "aud another": (claims(aud="pipeline"), INVALID),
    "aud a list with ours": (claims(aud=["viewer", "pipeline"]), INVALID),
    "aud missing": (claims(aud=...), INVALID),
    "sub not an id": (claims(sub="admin"), INVALID),
    "sub a number": (claims(sub=1), INVALID),
    "sub missing": (claims(sub=...), INVALID),
    "did missing": (claims(did=...), INVALID),
    "did not an id": (claims(did="*"), INVALID),
    "env unknown": (claims(env="staging"), INVALID),
    "env missing": (claims(env=...), INVALID),
    # Time
    "expired": (time_claims(iat={"minutes": -20}, exp={"seconds": -5}), EXPIRED),
    "expired a year ago": (time_claims(iat={"days": -366}, exp={"days": -365}), EXPIRED),
    "issued in the future": (time_claims(iat={"seconds": 6}, exp={"minutes": 15}), INVALID),
    "exp missing": (claims(exp=...), INVALID),
    "exp null": (claims(exp=None), INVALID),
    "exp true": (claims(exp=True), INVALID),
    "exp text": (claims(exp="4102444800"), INVALID),
    "exp a fraction": (claims(exp=4102444800.5), INVALID),
    "exp infinite": (claims(exp=float("inf")), INVALID),
    "exp past the calendar": (claims(exp=10**30), INVALID),
    "exp negative": (claims(exp=-1), INVALID),
    "iat missing": (claims(iat=...), INVALID),
    "iat negative": (claims(iat=-1), INVALID),
    # Form
    "signature of another token": (
        lambda forgery: bearer(
            forgery.with_claims(sub=str(uuid4())).rsplit(".", 1)[0]
            + "."
            + Forgery(forgery.device, forgery.now).token().rsplit(".", 1)[1]
        ),
        INVALID,
    ),
    "signature truncated": (parts(lambda p: [*p[:2], p[2][:-1]]), INVALID),
    "signature spelled otherwise": (parts(lambda p: [*p[:2], respelled(p[2])]), INVALID),
    "signature missing": (parts(lambda p: p[:2]), INVALID),
    "signature empty": (parts(lambda p: [*p[:2], ""]), INVALID),
    "four parts": (parts(lambda p: [*p, p[2]]), INVALID),
    "five parts, as if encrypted": (parts(lambda p: [*p, "a", "b"]), INVALID),
    "padded": (parts(lambda p: [*p[:2], p[2] + "="]), INVALID),
    "standard base64": (parts(lambda p: [p[0], p[1] + "+/", p[2]]), INVALID),
    "non-ASCII": (parts(lambda p: [p[0], p[1], p[2] + "é"]), INVALID),
    "a full-width digit": (literal("Bearer \uff11.\uff12.\uff13"), INVALID),
    "NUL inside": (parts(lambda p: [p[0], p[1] + "\x00", p[2]]), INVALID),
    "huge": (lambda forgery: bearer(forgery.with_claims(pad="x" * 100_000)), INVALID),
    "a little too long": (lambda forgery: bearer(forgery.with_claims(pad="x" * 1600)), INVALID),
    "header not JSON": (raw_parts("alg", "{}"), INVALID),
    "header a list": (raw_parts("[]", "{}"), INVALID),
    "header not UTF-8": (
        lambda forgery: bearer(forgery.signed(encoded(b"\xff\xfe\xfd"), encoded("{}"))),
        INVALID,
    ),
    "header deep": (raw_parts(DEEP, "{}"), INVALID),
    "claims a list": (
        lambda forgery: bearer(forgery.signed(encoded(forgery.header), encoded("[]"))),
        INVALID,
    ),
    "claims not JSON": (
        lambda forgery: bearer(forgery.signed(encoded(forgery.header), encoded("{"))),
        INVALID,
    ),
    "claims deep": (
        lambda forgery: bearer(forgery.signed(encoded(forgery.header), encoded(DEEP))),
        INVALID,
    ),
    "claims NaN": (claims(exp=float("nan")), INVALID),
    "quoted": (around('Bearer "', '"'), INVALID),
    "two tokens": (lambda forgery: bearer(f"{forgery.token()} {forgery.token()}"), INVALID),
    "two headers joined": (
        lambda forgery: f"{bearer(forgery.token())},{bearer(forgery.token())}",
        INVALID,
    ),
    "two spaces": (around("Bearer  "), INVALID),
    "space behind": (around("Bearer ", " "), INVALID),
    "newline behind": (around("Bearer ", "\n"), INVALID),
    "tab instead of a space": (around("Bearer\t"), MISSING),
    "space in front": (around(" Bearer "), MISSING),
    "Bearer alone": (literal("Bearer"), MISSING),
    "Bearer and a space": (literal("Bearer "), INVALID),
    "empty": (literal(""), MISSING),
    "no scheme": (around(""), MISSING),
    "scheme Basic": (around("Basic "), MISSING),
    "scheme Token": (around("Token "), MISSING),
    "a refresh token": (literal("Bearer rt_" + "A" * 43), INVALID),
    "an API key": (literal("Bearer clf_0123456789ab_" + "A" * 43), INVALID),
}


@pytest.fixture(autouse=True)
def guarded(settings):
    settings.ROOT_URLCONF = "tests.viewers.guarded_urls"


@pytest.fixture
def device(db):
    return DeviceFactory()


def call(api, authorization: str, now):
    return api.get("/v1/for-viewers", headers={"Authorization": authorization} | clock_headers(now))


def refused(response, code):
    return (
        response.status_code,
        response["Content-Type"],
        response["WWW-Authenticate"],
        response.json()["code"],
    ) == (401, "application/problem+json", "Bearer", code)


def test_accepts_the_token_that_every_forgery_starts_from(api, device, now):
    response = call(api, bearer(Forgery(device, now).token()), now)

    assert response.status_code == 200
    assert response.json() == {
        "viewer_id": str(device.viewer_id),
        "device_id": str(device.id),
        "environment": "production",
    }


@pytest.mark.parametrize(("forge", "code"), CONFUSIONS.values(), ids=CONFUSIONS.keys())
def test_refuses(api, device, now, forge, code):
    assert refused(call(api, forge(Forgery(device, now)), now), code)


def test_refuses_a_request_without_the_header(api, device, now):
    assert refused(api.get("/v1/for-viewers", headers=clock_headers(now)), MISSING)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_takes_the_scheme_in_any_case(api, device, now, scheme):
    assert call(api, f"{scheme} {Forgery(device, now).token()}", now).status_code == 200


def test_accepts_no_token_with_one_character_changed(device, now):
    token, _ = tokens.sign(device, now=now)

    for place, character in enumerate(token):
        altered = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(tokens.TokenInvalid):
            tokens.verify(altered, now=now)


@pytest.mark.parametrize(
    ("after", "expectation"),
    [
        (timedelta(seconds=-5), "accepted"),
        (timedelta(seconds=-6), "token_invalid"),
        (timedelta(seconds=904, microseconds=999_999), "accepted"),
        (timedelta(seconds=905), "token_expired"),
    ],
)
def test_forgives_clocks_that_differ_by_seconds(device, now, after, expectation):
    token, _ = tokens.sign(device, now=now)

    try:
        tokens.verify(token, now=now + after)
        outcome = "accepted"
    except (tokens.TokenInvalid, tokens.TokenExpired) as refusal:
        outcome = refusal.code
    assert outcome == expectation


def test_reads_no_clock_but_the_one_it_is_given(device, now):
    long_ago = now - timedelta(days=9000)
    token, expires_at = tokens.sign(device, now=long_ago)

    assert tokens.verify(token, now=long_ago).expires_at == expires_at
    with pytest.raises(tokens.TokenExpired):
        tokens.verify(token, now=now)


@pytest.mark.django_db(transaction=True)
def test_refuses_two_authorization_headers_on_the_wire(live_server, now):
    token = Forgery(DeviceFactory(), now).token()
    connection = http.client.HTTPConnection(live_server.thread.host, live_server.thread.port)
    connection.putrequest("GET", "/v1/for-viewers")
    for value in (bearer(token), bearer(token)):
        connection.putheader("Authorization", value)
    for name, value in clock_headers(now).items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()

    assert (response.status, answer["code"]) == (401, INVALID)


def test_a_refusal_reads_and_writes_no_row(api, device, now, django_assert_num_queries):
    with django_assert_num_queries(0):
        call(api, bearer(Forgery(device, now).with_claims(aud="pipeline")), now)
    assert Viewer.objects.get().last_seen_at is None
    assert ApiKey.objects.count() == 0
