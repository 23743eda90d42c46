"""AdMob's signed query strings: the real ones verify, and nothing that was changed in them does.

The queries and Google's key are public: tests/ads/payloads/SOURCES.md says from where.
"""

import base64
import json
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ads.networks import admob
from ads.networks.admob import AdMobAdapter, authentic
from ads.networks.base import Fault, Keys, NetworkError, SignedReward
from ads.networks.fake import FakeAdNetwork
from tests.proof import Proof

FOLDER = Path(__file__).parent / "payloads" / "admob"
REAL = (FOLDER / "google_signed_query_strings.txt").read_text(encoding="ascii").splitlines()
TINK = json.loads((FOLDER / "tink_test_keys_and_cases.json").read_text(encoding="utf-8"))
INJECTION = json.loads((FOLDER / "param_injection_case.json").read_text(encoding="utf-8"))

ADAPTER = AdMobAdapter(keys_url="")
GOOGLE = ADAPTER.keys(ADAPTER.document)
NETWORK = FakeAdNetwork(ec.derive_private_key(1914, ec.SECP256R1()), key_id=7)
OURS = ADAPTER.keys(NETWORK.document())
HONEST = (
    "ad_network=5450213213286189855&ad_unit=1234567890&custom_data=session&reward_amount=1"
    "&reward_item=Episode&timestamp=1773489600000&transaction_id=abc123&user_id=viewer"
)


def fault(query: str, keys: Keys = OURS) -> Fault | None:
    """What is wrong with a query, or None."""
    try:
        ADAPTER.verify(query, keys)
    except NetworkError as error:
        return error.fault
    return None


def test_the_shipped_document_is_googles() -> None:
    published = FOLDER / "verifier-keys.prod-3335741209.json"

    assert ADAPTER.document == published.read_bytes()
    assert list(GOOGLE) == [3335741209]


@pytest.mark.parametrize("query", REAL, ids=range(len(REAL)))
def test_verifies_what_google_signed(query: str) -> None:
    reward = ADAPTER.verify(query, GOOGLE)

    assert f"transaction_id={reward.transaction_id}&" in query
    # The console's trials, and an app that hands over no ids: none of them is for a viewer of ours.
    assert reward.is_probe


def test_reads_what_it_verified() -> None:
    assert ADAPTER.verify(NETWORK.sign(HONEST), OURS) == SignedReward(
        transaction_id="abc123",
        ad_unit="1234567890",
        custom_data="session",
        user_id="viewer",
        is_probe=False,
        watched_at=datetime(2026, 3, 14, 12, tzinfo=UTC),
    )


def test_refuses_every_change_of_one_character(proof: Proof) -> None:
    """But for the case of an escape's digits, which says the same."""
    replacements = "aZ0_%&=+.\x00é" if not proof.is_full else string.printable + "\x00é"
    tried, taken = 0, []
    for query in REAL:
        for place in range(len(query)):
            for new in {*replacements, ""} - {query[place]}:
                changed = query[:place] + new + query[place + 1 :]
                tried += 1
                if fault(changed, GOOGLE) is None and not _says_the_same(changed, query):
                    taken.append(changed)

    assert taken == []
    proof.count = tried
    proof.record("P11", "a signed query with one character changed", violations=0)


def _says_the_same(changed: str, query: str) -> bool:
    content, _, tail = changed.partition("&signature=")
    original, _, whole = query.partition("&signature=")
    return tail == whole and re.sub("%..", lambda m: m[0].upper(), content) == original


@pytest.mark.parametrize("query", REAL, ids=range(len(REAL)))
def test_refuses_the_ends_in_another_order_or_place(query: str) -> None:
    content, _, tail = query.partition("&signature=")
    signature, _, key_id = tail.partition("&key_id=")
    for changed in (
        f"{content}&key_id={key_id}&signature={signature}",
        f"signature={signature}&key_id={key_id}&{content}",
        f"{query}&x=1",
        f"{query}&",
        f"{query}&key_id={key_id}",
        f"&{query}",
        f"{content}&signature={signature}==&key_id={key_id}",
        f"{content}&signature={signature}&key_id=0{key_id}",
        f"{content}&signature={signature}&key_id=+{key_id}",
        f"{content}&signature={signature}key_id={key_id}",
        f"{content}&signature=&key_id={key_id}",
        f"{content}%26signature={signature}&key_id={key_id}",
    ):
        assert fault(changed, GOOGLE) is not None, changed


def test_takes_the_same_text_however_it_is_escaped() -> None:
    content, _, tail = NETWORK.sign(HONEST.replace("Episode", "One episode")).partition(
        "&signature="
    )
    for written in (content, content.replace("%20", "+"), content.replace("One", "%4f%6E%65")):
        assert fault(f"{written}&signature={tail}") is None, written


def test_refuses_another_division_of_the_same_signed_text() -> None:
    tink = ADAPTER.keys(json.dumps(TINK["keys_json"]).encode())
    for name in ("honest_query", "forged_query_same_signature"):
        assert authentic(INJECTION[name], tink)
        assert fault(INJECTION[name], tink) is Fault.MALFORMED, name


@pytest.mark.parametrize(
    "hidden",
    [
        "transaction_id=abc123&user_id=viewer",
        "reward_item=Episode&timestamp=1773489600000",
        "timestamp=1773489600000&transaction_id=abc123",
        "ad_unit=1234567890&custom_data=session",
        "ad_network=5450213213286189855&ad_unit=1234567890",
        "custom_data=session&reward_amount=1",
    ],
)
def test_refuses_parameters_that_hide_inside_another(hidden: str) -> None:
    """Else one view would have two transaction ids under one signature."""
    first, _, rest = hidden.partition("&")
    query = NETWORK.sign(HONEST).replace(hidden, f"{first}%26{quote(rest, safe='')}")

    assert authentic(query, OURS)
    assert fault(query) is Fault.MALFORMED


@pytest.mark.parametrize("swallows", ["reward_amount", "reward_item"])
def test_refuses_a_transaction_that_the_viewer_made_up(swallows: str) -> None:
    """Who chooses the app's user id signs by it what they like; the true end hides before theirs."""
    chosen = f"x&timestamp=1773489600001&transaction_id=I-CHOSE-THIS&user_id={'a' * 32}"
    if swallows == "reward_amount":
        chosen = f"x&reward_item=Episode&{chosen[2:]}"
    true = HONEST.replace("=viewer", f"={chosen}")
    query = NETWORK.sign(true)
    head, _, rest = true.partition(f"&{swallows}=")
    last = "&reward_item=" if swallows == "reward_amount" else "&timestamp="
    hidden, _, made_up = rest.rpartition(last)
    redivided = query.replace(true, f"{head}&{swallows}={quote(hidden, safe='')}{last}{made_up}")

    assert redivided != query
    assert "&transaction_id=I-CHOSE-THIS&" in authentic(redivided, OURS)
    assert "&transaction_id=abc123&" not in authentic(redivided, OURS)
    assert fault(redivided) is Fault.MALFORMED
    assert fault(query) is Fault.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        HONEST.replace("&user_id", "&user_id=other&user_id"),
        HONEST.replace("&reward_amount=1", "&reward_amount=1&reward_amount=9999"),
        HONEST.replace("&ad_unit=1234567890", "") + "&ad_unit=1234567890",
        HONEST + "&zeal=1",
        HONEST + "&",
        HONEST.replace("&timestamp=1773489600000", ""),
        HONEST.replace("&transaction_id=abc123", ""),
        HONEST.replace("&ad_unit=1234567890", ""),
        HONEST.replace("ad_network=5450213213286189855&", ""),
        HONEST.replace("=abc123", "="),
        HONEST.replace("=abc123", "=" + "a" * 101),
        HONEST.replace("=abc123", "=a b"),
        HONEST.replace("amount=1", "amount="),
        HONEST.replace("amount=1", "amount=-1"),
        HONEST.replace("amount=1", "amount=" + "1" * 10),
        HONEST.replace("=Episode", "=One=1"),
        HONEST.replace("1773489600000", "0"),
        HONEST.replace("1773489600000", "-1773489600000"),
        HONEST.replace("1773489600000", "9" * 14),
        HONEST.replace("1773489600000", "9" * 400),
        HONEST.replace("1773489600000", "1773489600.0"),
        HONEST.replace("1773489600000", "\u0661" * 13),
        *(
            HONEST.replace("=session", f"={value}")
            for value in ("a b", "a.b", "é", "a" * 65, "\x00")
        ),
        *(HONEST.replace("=viewer", f"={value}") for value in ("a b", "a/b", "é", "a" * 65, "\n")),
        "foo1=bar1&foo2=bar2",
        "a",
    ],
    ids=lambda text: text[-40:].encode("unicode_escape").decode(),
)
def test_refuses_what_is_signed_and_not_admobs(text: str) -> None:
    query = NETWORK.sign(text)

    assert authentic(query, OURS)
    assert fault(query) is Fault.MALFORMED


@pytest.mark.parametrize(
    ("change", "is_probe"),
    [
        ({"transaction_id=abc123": "transaction_id=123456789"}, True),
        ({"transaction_id=abc123": "transaction_id=1234567890"}, False),
        ({"&custom_data=session": "", "&user_id=viewer": ""}, True),
        ({"=session": "=", "=viewer": "="}, True),
        ({"&custom_data=session": ""}, False),
        ({"&user_id=viewer": ""}, False),
        ({"=session": "={'a': 1}", "=abc123": "=123456789"}, True),
    ],
)
def test_knows_the_consoles_trial(change: dict[str, str], is_probe: bool) -> None:
    text = HONEST
    for old, new in change.items():
        text = text.replace(old, new)

    assert ADAPTER.verify(NETWORK.sign(text), OURS).is_probe is is_probe


def test_takes_no_query_longer_than_8_kb() -> None:
    text = HONEST.replace("Episode", "x" * 7000)
    assert fault(NETWORK.sign(text)) is None
    assert fault(NETWORK.sign(HONEST.replace("Episode", "x" * 8100))) is Fault.MALFORMED
    assert fault("x" * 1_000_000) is Fault.MALFORMED


@pytest.mark.parametrize("key_id", [1, 2**31 - 1, 2**31, 2**32, 2**63 - 1])
def test_takes_a_key_id_of_64_bits(key_id: int) -> None:
    network = FakeAdNetwork(ec.generate_private_key(ec.SECP256R1()), key_id=key_id)

    assert fault(network.sign(HONEST), ADAPTER.keys(network.document())) is None


def test_asks_for_a_key_that_it_does_not_have() -> None:
    query = NETWORK.sign(HONEST)

    assert fault(query, GOOGLE) is Fault.UNKNOWN_KEY
    assert fault(query.replace("&key_id=7", f"&key_id={2**63}")) is Fault.MALFORMED


def test_refuses_another_key_under_the_same_id() -> None:
    other = FakeAdNetwork(ec.generate_private_key(ec.SECP256R1()), key_id=7)

    assert fault(other.sign(HONEST)) is Fault.FORGED


@pytest.mark.parametrize("case", TINK["cases"], ids=lambda case: case["name"])
def test_agrees_with_tink(case: dict[str, Any]) -> None:
    """Tink's cases are about the signature alone; their parameters are not AdMob's."""
    if "query" in case:
        assert authentic(NETWORK.sign(case["query"]), OURS) == case["query"]
    elif "raw_query" in case:
        tail = NETWORK.sign(case["signed_bytes"]).partition("&signature=")[2]
        assert authentic(f"{case['raw_query']}&signature={tail}", OURS) == case["raw_query"]
        assert unquote_plus(case["raw_query"]) == case["signed_bytes"]
    elif "query_suffix" in case:
        assert fault(f"foo1=bar1{case['query_suffix']}") is Fault.MALFORMED
    else:
        assert case["key_id"] == 2**31  # test_takes_a_key_id_of_64_bits


def _document(**entry: Any) -> bytes:
    (known,) = json.loads(ADAPTER.document)["keys"]
    return json.dumps({"keys": [known, known | entry]}).encode()


P384 = (
    ec.derive_private_key(1914, ec.SECP384R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    "document",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", b'{"keys": []}', b'{"keys": {}}', b'{"keys": 1}'),
        *(b'{"keys": [1]}', b'{"keys": [{}]}', b'{"keys": "text"}', b"[" * 100_000, b"<html>"),
        *(_document(keyId=key_id) for key_id in (0, -1, 2**63, "7", 7.0, True, None)),
        *(_document(base64=text) for text in ("", "AAAA", "!!!!", None, 7, "\ud800")),
        _document(base64=base64.b64encode(P384).decode()),
        json.dumps({"keys": json.loads(ADAPTER.document)["keys"] * 101}).encode(),
    ],
    ids=lambda document: repr(document[-40:]),
)
def test_takes_no_key_document_that_it_cannot_read_whole(document: bytes) -> None:
    with pytest.raises(NetworkError) as refused:
        ADAPTER.keys(document)

    assert refused.value.fault is Fault.MALFORMED


TOKENS = st.sampled_from(
    [
        *("&", "=", "%", "+", "%26", "%3D", "%00", "%ff", "%ED%A0%80", "\x00", "é", "\ud800"),
        *("&signature=", "&key_id=", "&key_id=7", "signature", "7", "A", "AAAA", "-_"),
        *admob._SHAPES,
        "1773489600000",
    ]
)
QUERIES = st.one_of(
    st.text(),
    st.lists(TOKENS).map("".join),
    st.lists(TOKENS).map(lambda parts: "".join(parts) + "&signature=AAAA&key_id=7"),
    st.binary().map(lambda signature: _with_signature(HONEST, signature)),
)
SIGNED_TEXTS = st.lists(TOKENS).map("".join) | st.text()


def _with_signature(text: str, signature: bytes) -> str:
    encoded = base64.urlsafe_b64encode(signature).decode().rstrip("=")
    return f"{text}&signature={encoded}&key_id=7"


def _explore(
    proof: Proof, strategy: Any, judge: Callable[[str], None], *, full: int = 20_000
) -> None:
    @settings(max_examples=proof.rounds(full=full), deadline=None, database=None)
    @example("")
    @given(strategy)
    def explore(text: str) -> None:
        judge(text)

    explore()


def test_never_fails_otherwise_than_by_its_own_error(proof: Proof) -> None:
    def judge(query: str) -> None:
        assert fault(query) is not None

    _explore(proof, QUERIES, judge)
    proof.record("P11", "anything for a signed query", violations=0)


def test_never_fails_otherwise_even_when_the_signature_holds(proof: Proof) -> None:
    def judge(text: str) -> None:
        try:
            query = NETWORK.sign(text)
        except UnicodeEncodeError:  # a lone surrogate: no network can have signed that
            return
        assert fault(query) in {None, Fault.MALFORMED}

    _explore(proof, SIGNED_TEXTS, judge)
    proof.record("P11", "anything signed", violations=0)


def test_takes_no_key_document_but_by_its_own_error(proof: Proof) -> None:
    def judge(text: str) -> None:
        with pytest.raises(NetworkError):
            ADAPTER.keys(text.encode("utf-8", "surrogatepass"))

    _explore(
        proof,
        st.text()
        | st.recursive(
            st.none() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.just("keys") | st.text(), inner),
        ).map(json.dumps),
        judge,
        full=5_000,
    )
    proof.record("P11", "anything for a key document", violations=0)
