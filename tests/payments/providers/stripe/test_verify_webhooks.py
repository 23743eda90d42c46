"""Stripe's webhooks: what a secret of ours signed just now is read, and nothing else is, whatever it is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payments.providers.base import Fault, RawMessage
from payments.providers.stripe import webhooks
from payments.providers.stripe.adapter import StripeAdapter, StripeSettings
from tests.payments.providers.stripe.shop import fault_of
from tests.proof import Proof

VECTOR = json.loads(
    (Path(__file__).parents[2] / "payloads" / "stripe" / "webhook_signature_vector.json").read_text(
        encoding="utf-8"
    )
)
BODY = VECTOR["payload"].encode()
SIGNED_AT = datetime.fromtimestamp(VECTOR["timestamp"], UTC)
SETTINGS = StripeSettings(
    environment="sandbox", secret_key="sk_test_1", webhook_secrets=(VECTOR["secret"],)
)
ADAPTER = StripeAdapter(SETTINGS)
HONEST = RawMessage({"Stripe-Signature": VECTOR["header"]}, BODY)


def fault(
    message: RawMessage, *, now: datetime = SIGNED_AT, adapter: Any = ADAPTER
) -> Fault | None:
    return fault_of(lambda: adapter.read_message(message, now=now))


def signed(body: bytes, *, secret: str = VECTOR["secret"]) -> RawMessage:
    return RawMessage(webhooks.signature(body, secret=secret, signed_at=SIGNED_AT), body)


def event(**members: Any) -> bytes:
    return json.dumps(json.loads(BODY) | members).encode()


def test_reads_what_stripes_own_library_signed() -> None:
    message = ADAPTER.read_message(HONEST, now=SIGNED_AT)

    assert webhooks.signature(BODY, secret=VECTOR["secret"], signed_at=SIGNED_AT) == HONEST.headers
    assert message.environment == "sandbox"
    assert message.event_id == "evt_test_1"
    assert message.type == "checkout.session.completed"
    assert message.occurred_at == SIGNED_AT
    assert message.is_known


def test_finds_the_header_however_it_is_written() -> None:
    assert fault(RawMessage({"stripe-signature": VECTOR["header"]}, BODY)) is None
    assert fault(RawMessage({"STRIPE-SIGNATURE": VECTOR["header"]}, BODY)) is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, None), (300, None), (-300, None), (301, Fault.FORGED), (-301, Fault.FORGED)],
)
def test_takes_a_time_within_five_minutes_on_either_side(
    seconds: int, expected: Fault | None
) -> None:
    assert fault(HONEST, now=SIGNED_AT + timedelta(seconds=seconds)) is expected


def test_refuses_a_day_of_the_future_and_a_replay_of_the_past() -> None:
    assert fault(HONEST, now=SIGNED_AT - timedelta(days=1)) is Fault.FORGED
    assert fault(HONEST, now=SIGNED_AT + timedelta(days=1)) is Fault.FORGED


def test_takes_both_secrets_while_they_are_rolled() -> None:
    rolled = StripeAdapter(replace(SETTINGS, webhook_secrets=("whsec_new", VECTOR["secret"])))
    both = ",".join(
        [
            VECTOR["header"],
            webhooks.signature(BODY, secret="whsec_new", signed_at=SIGNED_AT)[
                "Stripe-Signature"
            ].partition(",")[2],
        ]
    )
    only_new = StripeAdapter(replace(SETTINGS, webhook_secrets=("whsec_new",)))

    assert fault(HONEST, adapter=rolled) is None
    assert fault(signed(BODY, secret="whsec_new"), adapter=rolled) is None
    assert fault(RawMessage({"Stripe-Signature": both}, BODY)) is None
    assert fault(RawMessage({"Stripe-Signature": both}, BODY), adapter=only_new) is None
    assert fault(HONEST, adapter=only_new) is Fault.FORGED
    assert fault(signed(BODY, secret="whsec_old"), adapter=rolled) is Fault.FORGED


T, V1 = VECTOR["header"].split(",")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Fault.MALFORMED),
        (V1, Fault.MALFORMED),
        (T, Fault.FORGED),
        (f"{T},{T},{V1}", Fault.MALFORMED),
        (f"t=,{V1}", Fault.MALFORMED),
        (f"t=+{VECTOR['timestamp']},{V1}", Fault.MALFORMED),
        (f"t=0{VECTOR['timestamp']},{V1}", Fault.MALFORMED),
        (f"t=-1,{V1}", Fault.MALFORMED),
        (f"t={'9' * 400},{V1}", Fault.MALFORMED),
        (f"t=1795400001,{V1}", Fault.FORGED),
        (f"{T},v1={V1[3:].upper()}", Fault.FORGED),
        (f"{T},v1={V1[3:-1]}", Fault.FORGED),
        (f"{T},v1=", Fault.FORGED),
        (f"{T},v0={V1[3:]}", Fault.FORGED),
        (f"{T},V1={V1[3:]}", Fault.FORGED),
        (f"{T},v1={'é' * 64}", Fault.MALFORMED),
        (f"{T},v1={chr(0x661) * 64}", Fault.MALFORMED),
        (f"{T},{V1},\udc80", Fault.MALFORMED),
        (f"{T},{V1}" + ",v1=" + "0" * 5000, Fault.MALFORMED),
        (VECTOR["docs_example_header"], Fault.FORGED),
        (f"{T}, {V1}", None),
        (f"{V1},{T}", None),
        (f"{T},v1={'0' * 64},{V1}", None),
        (f"{T},{V1},v0={'0' * 64},v2=x,empty", None),
    ],
)
def test_reads_one_time_and_any_signature(header: str, expected: Fault | None) -> None:
    assert fault(RawMessage({"Stripe-Signature": header}, BODY)) is expected


def test_refuses_a_message_without_the_header() -> None:
    assert fault(RawMessage({}, BODY)) is Fault.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b"1", b'"text"', b"\xff\xfe", b"<html>", b"{" * 100_000),
        *(b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500, BODY[:-1], BODY + b"x"),
        *(event(id=one) for one in (None, 1, "", "a b", "é", "x" * 256)),
        *(event(created=one) for one in (None, "1", -1, 1.5, 10**30)),
        *(event(livemode=one) for one in (None, 0, "false")),
        *(event(type=one) for one in (None, "", "a b", "x" * 101, ["a"])),
        *(event(data=one) for one in (None, "x", 1)),
        *(event(data=[]), event(data={})),
        event(object="v2.core.event"),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_refuses_what_is_signed_and_no_event(body: bytes) -> None:
    assert fault(signed(body)) is Fault.MALFORMED


def test_takes_no_body_longer_than_1_mb() -> None:
    assert fault(signed(event(padding="x" * 1_000_000))) is None
    assert fault(signed(event(padding="x" * 1_100_000))) is Fault.MALFORMED


def test_refuses_the_other_environment() -> None:
    production = StripeAdapter(replace(SETTINGS, environment="production", secret_key="sk_live_1"))

    assert fault(signed(event(livemode=True))) is Fault.OTHER_ENVIRONMENT
    assert fault(HONEST, adapter=production) is Fault.OTHER_ENVIRONMENT
    assert fault(signed(event(livemode=True)), adapter=production) is None
    assert (
        fault_of(lambda: ADAPTER.facts_of(signed(event(livemode=True)), now=SIGNED_AT))
        is Fault.OTHER_ENVIRONMENT
    )


def test_refuses_an_event_of_an_account_that_is_connected() -> None:
    assert fault(signed(event(account="acct_1"))) is Fault.FOREIGN


def test_keeps_an_event_that_it_does_not_know() -> None:
    message = signed(event(type="issuing_card.created"))

    assert not ADAPTER.read_message(message, now=SIGNED_AT).is_known
    assert ADAPTER.facts_of(message, now=SIGNED_AT) == ()


def test_reads_an_event_of_the_history_at_any_time() -> None:
    history = webhooks.sealed(BODY, secrets=SETTINGS.webhook_secrets)

    assert fault(history, now=SIGNED_AT + timedelta(days=30)) is None


def test_takes_no_history_but_its_own() -> None:
    history = webhooks.sealed(BODY, secrets=SETTINGS.webhook_secrets)
    other = webhooks.sealed(BODY, secrets=["whsec_other"])
    stolen = RawMessage({webhooks.HISTORY_HEADER: V1[3:]}, BODY)

    assert fault(RawMessage(history.headers, event(id="evt_2"))) is Fault.FORGED
    assert fault(other) is Fault.FORGED
    assert fault(stolen) is Fault.FORGED
    assert fault(RawMessage({webhooks.HISTORY_HEADER: ""}, BODY)) is Fault.FORGED
    assert fault(RawMessage({webhooks.HISTORY_HEADER: "é"}, BODY)) is Fault.FORGED
    assert (
        fault(
            RawMessage(
                {"Stripe-Signature": f"t=1,v1={history.headers[webhooks.HISTORY_HEADER]}"}, BODY
            )
        )
        is Fault.FORGED
    )


def test_refuses_every_change_of_what_is_signed(proof: Proof) -> None:
    """One byte of the body changed, cut or put in, its ends swapped, or one character of the header."""
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    taken = []
    for _ in range(proof.rounds(full=1_000_000)):
        message = _changed(chance)
        if message != HONEST and fault(message) is None:
            taken.append(message)

    assert taken == []
    proof.record("P11", "a signed webhook of Stripe's with one change", violations=0)


def _changed(chance: Random) -> RawMessage:
    body, header = bytearray(BODY), VECTOR["header"]
    place, byte = chance.randrange(len(body)), chance.randrange(1, 256)
    match chance.randrange(5):
        case 0:
            body[place] ^= byte
        case 1:
            del body[place]
        case 2:
            body.insert(place, byte)
        case 3:
            body = body[place:] + body[:place]
        case _:
            place %= len(header)
            new = chance.choice(["", chr(byte), *"0123456789abcdef=,. "])
            header = header[:place] + new + header[place + 1 :]
    return RawMessage({"Stripe-Signature": header}, bytes(body))


HEADERS = st.text() | st.lists(
    st.sampled_from([T, V1, "t=", "v1=", ",", "=", "t=1", "v1=00", "é", "\x00", "\udc80"])
).map(",".join)
BODIES = st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["id", "object", "type", "created", "livemode", "data"]) | st.text(),
            inner,
        )
    ),
).map(lambda value: json.dumps(value).encode())


def test_never_fails_otherwise_than_by_its_own_error(proof: Proof) -> None:
    @settings(max_examples=proof.rounds(full=5_000), deadline=None, database=None)
    @example("", b"")
    @given(HEADERS, BODIES)
    def explore(header: str, body: bytes) -> None:
        assert fault(RawMessage({"Stripe-Signature": header}, body)) is not None
        assert fault(signed(body)) is not None
        assert fault_of(lambda: ADAPTER.facts_of(signed(body), now=SIGNED_AT)) is not None

    explore()
    proof.record("P11", "anything for a webhook of Stripe's, signed or not", violations=0)
