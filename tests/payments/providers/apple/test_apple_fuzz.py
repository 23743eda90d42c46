"""Nothing that was changed passes, and nothing but the adapter's own error comes out."""

import base64
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.stores.apple.authority import Authority
from payments.providers.apple.payloads import Notification, Renewal, Transaction, moment
from payments.providers.apple.verifier import Jws, Verifier
from payments.providers.base import ProviderError, RawMessage
from tests.payments.providers.apple import pieces
from tests.payments.providers.apple.pieces import (
    BUNDLE,
    CONSUMABLE,
    CONSUMABLE_BUNDLE,
    NOW,
    STORE,
    adapter,
    message,
)
from tests.proof import Proof

OTHER = Authority.made(NOW)
GENUINE = Jws.parse(CONSUMABLE)
PAYLOAD = json.loads(GENUINE.payload)
#: Its certificates are past, and a chain is remembered for as long as they are not.
THEN = moment(PAYLOAD["signedDate"])
HEAD, BODY, SIGNATURE = CONSUMABLE.split(".")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def warm() -> Verifier:
    """Knows Apple's chain already."""
    verifier = Verifier(pieces.apples_settings())
    verifier.transaction(CONSUMABLE, now=THEN)
    assert verifier._chains.known(GENUINE.x5c, signed_at=THEN, now=THEN)
    return verifier


def library() -> SignedDataVerifier:
    """Apple's own, which remembers nothing."""
    root = pieces.apples_settings().root_certificate
    return SignedDataVerifier([root], False, Environment.SANDBOX, CONSUMABLE_BUNDLE)


def accepts(verifier: Verifier, signed: str) -> bool:
    """Whether it passes. Nothing but ProviderError may come out otherwise."""
    try:
        verifier.transaction(signed, now=THEN)
    except ProviderError:
        return False
    return True


def _damaged(chance: Random, der: str) -> str:
    content = bytearray(base64.b64decode(der))
    for _ in range(chance.randint(1, 3)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return base64.b64encode(bytes(content)).decode()


def _chain(chance: Random) -> Sequence[object]:
    """Certificates of Apple's and of somebody's own, whole and damaged, in some order and number."""
    known = [*GENUINE.x5c, *OTHER.x5c]
    drawn: list[object] = list(GENUINE.x5c) if chance.random() < 0.5 else list(OTHER.x5c)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(3)
        one = chance.choice(known)
        drawn[place % len(drawn)] = _damaged(chance, one) if chance.random() < 0.5 else one
    change = chance.random()
    if change < 0.1:
        del drawn[chance.randrange(len(drawn))]
    elif change < 0.2:
        drawn.append(chance.choice(known))
    elif change < 0.3:
        chance.shuffle(drawn)
    elif change < 0.4:
        drawn[chance.randrange(len(drawn))] = chance.choice(["", "!", 7, None, "AAAA", [], "é"])
    return drawn


def test_accepts_no_chain_that_apple_did_not_make(proof: Proof) -> None:
    """Each is put under a payload signed with somebody's own key, and under Apple's signature."""
    verifier, theirs, chance = warm(), library(), Random(proof.seed)  # noqa: S311  repeatable by its seed
    violations = 0
    for number in range(proof.rounds(full=2_000)):
        x5c = _chain(chance)
        if number % 2 == 0:
            signed = OTHER.sign(PAYLOAD, x5c=x5c)
        else:
            head = json.dumps({"alg": "ES256", "x5c": x5c}).encode()
            encoded = base64.urlsafe_b64encode(head).decode().rstrip("=")
            signed = f"{encoded}.{BODY}.{SIGNATURE}"
        violations += accepts(verifier, signed)
        with pytest.raises(VerificationException):
            theirs.verify_and_decode_signed_transaction(signed)

    assert violations == 0
    proof.record("P11", "App Store: chains that Apple did not make", violations=violations)


def _changed(chance: Random) -> str:
    """The genuine text with something changed in its payload or its signature."""
    kind = chance.randrange(6)
    if kind == 0:
        return f"{HEAD}.{_replaced(chance, BODY)}.{SIGNATURE}"
    if kind == 1:
        return f"{HEAD}.{BODY}.{_replaced(chance, SIGNATURE)}"
    if kind == 2:
        payload = PAYLOAD | {chance.choice(list(PAYLOAD)): chance.choice(["1", 1, None, "x" * 9])}
        return f"{HEAD}.{_encoded(json.dumps(payload).encode())}.{SIGNATURE}"
    if kind == 3:
        return f"{HEAD}.{BODY}.{_encoded(chance.randbytes(64))}"
    if kind == 4:
        signature = bytearray(GENUINE.signature)
        signature[chance.randrange(64)] ^= 1 << chance.randrange(8)
        return f"{HEAD}.{BODY}.{_encoded(bytes(signature))}"
    odd = [b"", b"\x00" * 64, b"\xff" * 64, GENUINE.signature[::-1], GENUINE.signature * 2]
    odd += [GENUINE.signature[:32] + b"\x00" * 32, GENUINE.signature[32:] + GENUINE.signature[:32]]
    return f"{HEAD}.{BODY}.{_encoded(chance.choice(odd)[: chance.randint(0, 128)])}"


def _replaced(chance: Random, text: str) -> str:
    place = chance.randrange(len(text))
    other = chance.choice(ALPHABET.replace(text[place], ""))
    return text[:place] + other + text[place + 1 :]


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_accepts_no_change_under_a_chain_that_it_knows(proof: Proof) -> None:
    verifier, chance = warm(), Random(proof.seed)  # noqa: S311  repeatable by its seed
    rounds = proof.rounds(full=100_000)
    violations = 0
    for _ in range(rounds):
        signed = _changed(chance)
        violations += signed != CONSUMABLE and accepts(verifier, signed)

    assert violations == 0
    proof.record(
        "P11", "App Store: changes under a chain that is remembered", violations=violations
    )


def test_agrees_with_apples_library_under_a_chain_that_it_knows(proof: Proof) -> None:
    """What it remembers lets nothing through that the library refuses."""
    verifier, theirs, chance = warm(), library(), Random(proof.seed)  # noqa: S311  repeatable by its seed
    violations = 0
    for _ in range(proof.rounds(full=2_000)):
        signed = CONSUMABLE if chance.random() < 0.1 else _changed(chance)
        try:
            theirs.verify_and_decode_signed_transaction(signed)
        except Exception:  # noqa: BLE001  it lets out whatever a payload's wrong types raise
            violations += accepts(verifier, signed)
        else:
            # It reads base64 loosely: of its yes, ours is a part.
            violations += signed == CONSUMABLE and not accepts(verifier, signed)

    assert violations == 0
    proof.record("P11", "App Store: agreement with Apple's library", violations=violations)


NAMES = sorted(
    {
        field.encode_name
        for shape in (Transaction, Renewal, Notification)
        for field in msgspec.structs.fields(shape)
    }
    | {"bundleId", "appAppleId", "status", "signedTransactionInfo", "signedRenewalInfo"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(
        [
            *("Production", "Sandbox", "Xcode", BUNDLE, "Consumable", "FAMILY_SHARED", "USD"),
            *("Auto-Renewable Subscription", "REFUND", "DID_RENEW", "a.b.c", "1" * 16),
            1773489600000,
        ]
    ),
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), SCALARS, max_size=12)
NEARLY = OBJECTS.flatmap(
    lambda changed: st.sampled_from(
        [
            pieces.transaction() | changed,
            pieces.period() | changed,
            pieces.renewal() | changed,
            {"notificationType": "REFUND", "notificationUUID": "1", "signedDate": 1773489600000}
            | {
                "data": {"bundleId": BUNDLE, "appAppleId": 1914, "environment": "Production"}
                | changed
            }
            | {name: value for name, value in changed.items() if name != "data"},
        ]
    )
)


def _explore(proof: Proof, strategy: Any, judge: Callable[[Any], None]) -> None:
    @settings(max_examples=proof.rounds(full=5_000), deadline=None, database=None)
    @given(strategy)
    def explore(drawn: Any) -> None:
        judge(drawn)

    explore()


def _only_its_own_error(ask: Callable[[], object]) -> None:
    try:
        ask()
    except ProviderError:
        return


def test_lets_nothing_but_its_own_error_out_whatever_is_handed_in(proof: Proof) -> None:
    ours = adapter()

    def judge(text: str) -> None:
        _only_its_own_error(lambda: ours.submitted(text, now=NOW))
        raw = RawMessage({}, text.encode("utf-8", "surrogatepass"))
        _only_its_own_error(lambda: ours.read_message(raw, now=NOW))
        told = RawMessage({}, json.dumps({"signedPayload": text}).encode())
        _only_its_own_error(lambda: ours.facts_of(told, now=NOW))

    parts = st.sampled_from([HEAD, BODY, SIGNATURE, ".", "..", "=", "e30", "-_", "\x00"])
    _explore(proof, st.text() | st.lists(parts).map("".join) | st.lists(parts).map(".".join), judge)
    proof.record("P11", "App Store: anything for a signed text", violations=0)


def test_lets_nothing_but_its_own_error_out_whatever_is_signed(proof: Proof) -> None:
    ours = adapter()

    def judge(payload: Any) -> None:
        signed = STORE.sign(payload)
        _only_its_own_error(lambda: ours.submitted(signed, now=NOW))
        _only_its_own_error(lambda: ours.read_message(message(signed), now=NOW))
        _only_its_own_error(lambda: ours.facts_of(message(signed), now=NOW))
        told = pieces.notification("REFUND", of=payload, renewing=payload)
        _only_its_own_error(lambda: ours.facts_of(told, now=NOW))

    _explore(proof, NEARLY, judge)
    proof.record("P11", "App Store: anything that is signed", violations=0)
