"""WeChat's callback: the documented trial of the address, and what is inside of the envelope."""

import base64
import json
import os
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from ads.networks.base import Fault, NetworkError, SignedReward
from ads.networks.wechat import WeChatAdapter, signature
from tests.ads.networks.cases import NOW, SESSION, VIEWER
from tests.proof import Proof

DOCUMENTED = json.loads(
    (Path(__file__).parents[1] / "payloads/wechat/url_verify.json").read_text(encoding="utf-8")
)["url_verify"]
KEY = bytes(range(32))
WRITTEN_KEY = base64.b64encode(KEY).decode().rstrip("=")
ADAPTER = WeChatAdapter(token=DOCUMENTED["token"], aes_key=WRITTEN_KEY)
PAYLOAD = {
    "transaction_id": "3f2a-1",
    "user_id": VIEWER,
    "reward_item": "金币",
    "reward_amount": 10,
    "custom_data": SESSION,
    "extra": "",
}


def read(query: str) -> SignedReward:
    return ADAPTER.verify(query, {}, now=NOW)


def enveloped(encrypt: str) -> str:
    values = {"timestamp": "1714036504123", "nonce": "1514711492", "encrypt": encrypt}
    return urlencode({"signature": signature([DOCUMENTED["token"], *values.values()]), **values})


def sealed(content: bytes, *, padding: bytes | None = None) -> str:
    """Content as WeChat encrypts it, or with another padding."""
    length = 16 - len(content) % 16
    padded = content + (bytes([length]) * length if padding is None else padding)
    vector = os.urandom(16)
    encryptor = Cipher(AES(KEY), CBC(vector)).encryptor()
    return base64.b64encode(vector + encryptor.update(padded) + encryptor.finalize()).decode()


def callback(payload: Any) -> str:
    return enveloped(sealed(json.dumps(payload, ensure_ascii=False).encode()))


def refused(query: str) -> Fault:
    with pytest.raises(NetworkError) as error:
        read(query)
    return error.value.fault


def test_says_back_what_the_documentation_asks() -> None:
    names = ("signature", "echostr", "timestamp", "nonce")
    query = urlencode({name: DOCUMENTED[name] for name in names})
    reward = read(query)

    assert (reward.is_probe, reward.echo) == (True, DOCUMENTED["echostr"])
    reply = ADAPTER.reply(reward, verdict="probe", is_paid=False)
    assert json.loads(reply.body) == DOCUMENTED["expected_response"]
    assert refused(query.replace("1514711492", "1514711493")) is Fault.FORGED


def test_reads_what_is_inside() -> None:
    assert read(callback(PAYLOAD)) == SignedReward(
        transaction_id="3f2a-1",
        ad_unit=None,
        custom_data=SESSION,
        user_id=VIEWER,
        is_probe=False,
    )


def test_takes_a_plus_that_was_not_escaped() -> None:
    while "+" not in (encrypt := sealed(json.dumps(PAYLOAD).encode())):
        continue
    query = enveloped(encrypt)

    assert read(query) == read(query.replace("%2B", "+"))


def test_says_nothing_of_the_moment_since_nonce_and_timestamp_are_one_to_the_signature() -> None:
    query = callback(PAYLOAD)
    swapped = (
        query.replace("timestamp=1714036504123", "timestamp=T")
        .replace("nonce=1514711492", "nonce=1714036504123")
        .replace("timestamp=T", "timestamp=1514711492")
    )

    assert swapped != query
    assert read(swapped) == read(query)
    assert read(query).watched_at is None


@pytest.mark.parametrize(
    "changed",
    [
        {"transaction_id": ""},
        {"transaction_id": "a" * 101},
        {"transaction_id": "\x00"},
        {"transaction_id": 7},
        {"transaction_id": None},
        {"user_id": ""},
        {"user_id": "somebody"},
        {"user_id": VIEWER + "\n"},
        {"custom_data": ""},
        {"custom_data": {"session": SESSION}},
        {"custom_data": SESSION.upper()},
    ],
    ids=str,
)
def test_refuses_what_is_genuine_and_not_ours(changed: dict[str, Any]) -> None:
    assert refused(callback(PAYLOAD | changed)) is Fault.MALFORMED


@pytest.mark.parametrize("payload", [None, [], 1, "text", {}, [PAYLOAD]], ids=str)
def test_refuses_json_that_is_no_view(payload: Any) -> None:
    assert refused(callback(payload)) is Fault.MALFORMED


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 2000, b'{"transaction_id":"\xff"}', b"not json"],
    ids=lambda content: repr(content[:20]),
)
def test_refuses_what_is_no_json(content: bytes) -> None:
    assert refused(enveloped(sealed(content))) is Fault.MALFORMED


@pytest.mark.parametrize(
    "encrypt",
    [
        "AAAA",
        "A" * 42,
        base64.b64encode(bytes(16)).decode(),
        base64.b64encode(bytes(40)).decode(),
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(bytes(32)).decode().rstrip("="),
        base64.b64encode(bytes(32)).decode() + "A",
        sealed(b"x" * 15, padding=b"\x00"),
        sealed(b"x" * 15, padding=b"\x11"),
        sealed(b"x" * 14, padding=b"\x01\x02"),
    ],
    # Ciphers are new each time.
    ids=["short", "of no length", "16 bytes", "40 bytes", "zeros", "cut", "long", "0", "17", "1-2"],
)
def test_refuses_what_cannot_be_decrypted(encrypt: str) -> None:
    assert refused(enveloped(encrypt)) is Fault.MALFORMED


def test_refuses_an_envelope_with_both_contents_or_none() -> None:
    query = callback(PAYLOAD)
    values = [DOCUMENTED["token"], "1714036504", "1"]
    empty = urlencode({"signature": signature(values), "timestamp": values[1], "nonce": values[2]})

    assert refused(f"{query}&echostr=1") is Fault.MALFORMED
    assert refused(empty) is Fault.MALFORMED
    assert refused(f"{empty}&echostr=") is Fault.MALFORMED
    assert refused(f"{empty}&encrypt=") is Fault.MALFORMED


def test_opens_nothing_of_another_key() -> None:
    other = WeChatAdapter(
        token=DOCUMENTED["token"], aes_key=base64.b64encode(bytes(32)).decode().rstrip("=")
    )
    with pytest.raises(NetworkError) as error:
        other.verify(callback(PAYLOAD), {}, now=NOW)

    assert error.value.fault is Fault.MALFORMED


def test_never_fails_otherwise_whatever_is_inside(proof: Proof) -> None:
    """Signed and encrypted as it should be: anything at all."""
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    genuine = json.dumps(PAYLOAD, ensure_ascii=False).encode()
    for _ in range(proof.rounds(full=50_000)):
        content = bytearray(genuine)
        for _ in range(chance.choice((1, 2, 8))):
            place = chance.randrange(len(content))
            content[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        try:
            reward = read(enveloped(sealed(bytes(content))))
        except NetworkError:
            continue
        assert len(reward.user_id) == len(reward.custom_data) == 32
        assert 0 < len(reward.transaction_id) <= 100
    proof.record("P11", "anything in WeChat's envelope", violations=0)


@pytest.mark.parametrize(
    ("token", "aes_key", "why"),
    [
        ("", WRITTEN_KEY, "no secret"),
        ("token", "", "no secret"),
        ("token", "short", "not base64"),
        ("token", "A" * 42, "not base64"),
        ("token", "A" * 39, "43 characters"),
        ("token", "A" * 47, "43 characters"),
        ("token", "é" * 43, "not base64"),
        ("token", base64.b64encode(bytes(16)).decode().rstrip("="), "not base64"),
    ],
)
def test_believes_nobody_without_both_secrets(token: str, aes_key: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        WeChatAdapter(token=token, aes_key=aes_key)
