"""A push is taken that Google signed for our account and audience, and no other."""

import base64
import json
import string
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from payments.providers.base import Fault, ProviderError, RawMessage
from tests.payments.providers.google import play
from tests.payments.providers.google.play import (
    AUDIENCE,
    EMAIL,
    KEY,
    NOW,
    OTHER_KEY,
    PAYLOADS,
    Play,
    bearer,
    claims,
    push,
)
from tests.proof import Proof

ISSUED = claims()["iat"]
DOCUMENTED = json.loads((PAYLOADS / "pubsub_push_oidc_example.json").read_text(encoding="utf-8"))


def fault(message: RawMessage, google: Play | None = None) -> Fault | None:
    """What is wrong with a push, or None."""
    try:
        (google or Play()).adapter.read_message(message, now=NOW)
    except ProviderError as error:
        return error.fault
    return None


def test_takes_what_google_signed_for_us() -> None:
    message = Play().adapter.read_message(push(), now=NOW)

    assert (message.event_id, message.type) == ("136969346945", "testNotification")
    assert message.is_known


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_takes_every_spelling_of_the_same(name: str, scheme: str, issuer: str) -> None:
    token = bearer(iss=issuer)

    assert fault(RawMessage({name: f"{scheme} {token}"}, push().body)) is None


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"iss": "https://accounts.google.com.evil.example"}, Fault.FORGED),
        ({"iss": None}, Fault.FORGED),
        ({"iss": ["https://accounts.google.com"]}, Fault.FORGED),
        ({"iss": "\ud800"}, Fault.FORGED),
        ({"exp": None}, Fault.FORGED),
        ({"exp": ISSUED + 29}, Fault.FORGED),
        ({"exp": True}, Fault.FORGED),
        ({"exp": "tomorrow"}, Fault.FORGED),
        ({"exp": float("inf")}, Fault.FORGED),
        ({"exp": 10**30}, Fault.FORGED),
        ({"exp": ISSUED + 86_401}, Fault.FORGED),
        ({"iat": None}, Fault.FORGED),
        ({"iat": ISSUED + 91}, Fault.FORGED),
        ({"iat": -1}, Fault.FORGED),
        ({"aud": AUDIENCE + "/"}, Fault.FOREIGN),
        ({"aud": [AUDIENCE]}, Fault.FOREIGN),
        ({"aud": None}, Fault.FOREIGN),
        ({"aud": "é"}, Fault.FOREIGN),
        ({"aud": "\ud800"}, Fault.FOREIGN),
        ({"email": "push@other.iam.gserviceaccount.com"}, Fault.FORGED),
        ({"email": EMAIL.upper()}, Fault.FORGED),
        ({"email": None}, Fault.FORGED),
        ({"email": [EMAIL]}, Fault.FORGED),
        ({"email_verified": False}, Fault.FORGED),
        ({"email_verified": "true"}, Fault.FORGED),
        ({"email_verified": 1}, Fault.FORGED),
        ({"email_verified": None}, Fault.FORGED),
        ({"aud": None, "email": "push@other.iam.gserviceaccount.com"}, Fault.FORGED),
    ],
    ids=repr,
)
def test_refuses_every_single_claim_that_is_wrong(wrong: dict[str, Any], expected: Fault) -> None:
    assert fault(push(token=bearer(**wrong))) is expected


@pytest.mark.parametrize(
    ("wrong", "is_taken"),
    [
        ({"exp": ISSUED + 61}, True),
        ({"exp": ISSUED + 31}, True),
        ({"iat": ISSUED + 89}, True),
        ({"iat": ISSUED + 90}, True),
        ({"nbf": ISSUED + 10**6}, True),
        ({"jti": 7, "sub": 7}, True),
    ],
    ids=repr,
)
def test_allows_for_clocks_that_differ_by_half_a_minute(wrong: Any, is_taken: bool) -> None:
    assert (fault(push(token=bearer(**wrong))) is None) is is_taken


def test_refuses_the_documented_token_which_expired_in_2019() -> None:
    """Its key is gone: under another of that id the signature does not hold, either."""
    token = DOCUMENTED["jwt"]
    google = Play(
        push_audience=DOCUMENTED["claims"]["aud"], push_email=DOCUMENTED["claims"]["email"]
    )
    assert fault(push(token=token), google) is Fault.FORGED

    document = play.jwks(KEY)
    document["keys"][0]["kid"] = DOCUMENTED["header"]["kid"]
    google.documents = lambda _: httpx.Response(200, json=document)
    assert fault(push(token=token), google) is Fault.FORGED
    assert jwt.decode(token, options={"verify_signature": False}) == DOCUMENTED["claims"]


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer ", "Basic dTpw", "Bearer a.b", "Bearer a.b.c.d", "Bearer ..."),
        *("Bearer é.é.é", "Bearer " + "a" * 9000, "Token a.b.c", "Bearer\x00a.b.c"),
        "Bearer e30.e30.e30",
    ],
    ids=lambda header: header[:20].encode("unicode_escape").decode(),
)
def test_refuses_what_is_no_bearer_token(header: str) -> None:
    assert fault(RawMessage({"authorization": header}, push().body)) is Fault.FORGED
    assert fault(RawMessage({}, push().body)) is Fault.FORGED


def _jwt(header: dict[str, Any], signature: bytes = b"x" * 256) -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims()).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    "token",
    [
        bearer(OTHER_KEY),
        bearer(kid="2"),
        bearer(kid=""),
        jwt.encode(claims(), "", "none", headers={"kid": "1"}),
        jwt.encode(claims(), "secret" * 10, "HS256", headers={"kid": "1"}),
        jwt.encode(claims(), KEY, "RS384", headers={"kid": "1"}),
        jwt.encode(claims(), KEY, "PS256", headers={"kid": "1"}),
        jwt.encode(claims(), KEY, "RS256"),
        _jwt({"alg": "RS256", "kid": 1}),
        _jwt({"alg": ["RS256"], "kid": "1"}),
        _jwt({"alg": "RS256", "kid": "1", "crit": ["b64"], "b64": False}),
        _jwt({"alg": "RS256", "kid": "1"}),
        _jwt({"alg": "RS256", "kid": "1"}, b""),
        jwt.encode(claims(), KEY, "RS256", headers={"kid": "1", "crit": ["x"], "x": 1}),
    ],
    ids=range(14),
)
def test_refuses_what_google_did_not_sign(token: str) -> None:
    assert fault(push(token=token)) is Fault.FORGED


def test_refuses_every_change_of_one_character(proof: Proof) -> None:
    """Of the token; a signature is written in one way only."""
    google, token = Play(), bearer()
    draw = Random(proof.seed)  # noqa: S311  repeatable by its seed
    alphabet = string.ascii_letters + string.digits + "-_.=+/ \x00é"
    taken = []
    for _ in range(proof.rounds(full=100_000)):
        place = draw.randrange(len(token))
        new = draw.choice(alphabet.replace(token[place], ""))
        changed = token[:place] + draw.choice([new, "", token[place] + new]) + token[place + 1 :]
        if fault(push(token=changed), google) is None:
            taken.append(changed)
    assert taken == []
    proof.record("P11", "a push's token with one character changed", violations=0)


def test_refuses_a_signature_in_another_spelling() -> None:
    """The last character has spare bits, and decoders pass over characters that are none of theirs."""
    token = bearer()
    for changed in (token + "=", token + "==", token[:-5] + "!" + token[-5:], token + "A" * 4):
        assert fault(push(token=changed)) is Fault.FORGED
    last = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    siblings = [token[:-1] + character for character in last if character != token[-1]]
    assert {fault(push(token=sibling)) for sibling in siblings} == {Fault.FORGED}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", Fault.MALFORMED),
        (b"null", Fault.MALFORMED),
        (b"[]", Fault.MALFORMED),
        (b"\xff", Fault.MALFORMED),
        (b'{"message": {}, "subscription": "x"}', Fault.MALFORMED),
        (b'{"message": {"messageId": ""}, "subscription": "x"}', Fault.MALFORMED),
        (b'{"message": {"messageId": "a\\u0000"}, "subscription": "x"}', Fault.MALFORMED),
        (b'{"message": {"messageId": "1"}}', Fault.MALFORMED),
        (b'{"a":' + b"[" * 100_000, Fault.MALFORMED),
        (b" " * 1024 * 1024 + b"1", Fault.MALFORMED),
        (b'{"message": {"messageId": "1"}, "subscription": "x"}', Fault.FOREIGN),
        (
            b'{"message": {"messageId": "1"}, "subscription": "' + play.SUBSCRIPTION.encode()
            + b'2"}',
            Fault.FOREIGN,
        ),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_refuses_a_body_that_is_no_push_of_ours(body: bytes, expected: Fault) -> None:
    assert fault(RawMessage(push().headers, body)) is expected


def test_looks_at_the_token_before_the_body() -> None:
    assert fault(RawMessage({}, b"")) is Fault.FORGED


def test_a_token_holds_at_the_moment_that_is_passed() -> None:
    adapter, message = Play().adapter, push()
    adapter.read_message(message, now=NOW + timedelta(minutes=59))
    with pytest.raises(ProviderError) as late:
        adapter.read_message(message, now=NOW + timedelta(minutes=60))
    with pytest.raises(ProviderError) as early:
        adapter.read_message(message, now=NOW - timedelta(minutes=2))
    assert late.value.fault is early.value.fault is Fault.FORGED


def test_what_is_verified_is_read_back_without_its_token() -> None:
    google = Play()
    google.has_subscription()
    message = play.hint()
    late = NOW + timedelta(days=7)

    (fact,) = google.adapter.facts_of(RawMessage({}, message.body), now=late)
    assert fact.as_of == late


def test_small_keys_are_not_googles() -> None:
    small = generate_private_key(65537, 1024)  # noqa: S505  too small on purpose
    google = Play()
    google.documents = lambda _: httpx.Response(200, json=play.jwks(small))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = bearer(small)

    assert fault(push(token=token), google) is Fault.UNAVAILABLE
