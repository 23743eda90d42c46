"""Pangle's callback: a signature of the transaction alone, whose key says which ad unit it was."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from ads.networks.base import NetworkError, Part, SignedReward
from ads.networks.pangle import PangleAdapter, sign
from tests.ads.networks.cases import NOW, OTHERS_SESSION, OTHERS_VIEWER, SESSION, VIEWER

FOLDER = Path(__file__).parents[1] / "payloads/pangle"
DOCUMENTED = [
    json.loads((FOLDER / name).read_text(encoding="utf-8"))
    for name in ("sign.json", "mock_key_sign.json")
]


def callback(documented: dict[str, Any], **changed: str) -> str:
    values = {
        "user_id": VIEWER,
        "trans_id": documented["trans_id"],
        "reward_name": "金币",
        "reward_amount": "1",
        "extra": SESSION,
        "sign": documented.get("sign") or documented["sign_computed"],
    }
    return urlencode(values | changed)


def adapter(documented: dict[str, Any]) -> PangleAdapter:
    return PangleAdapter(
        security_keys=[("1", "other"), ("980000001", documented["app_security_key"])]
    )


@pytest.mark.parametrize("documented", DOCUMENTED, ids=["key", "mock_key"])
def test_takes_the_signs_of_the_documentation(documented: dict[str, Any]) -> None:
    reward = adapter(documented).verify(callback(documented), {}, now=NOW)

    assert reward == SignedReward(
        transaction_id=documented["trans_id"],
        ad_unit="980000001",
        custom_data=SESSION,
        user_id=VIEWER,
        is_probe=False,
    )


def test_covers_neither_viewer_nor_session() -> None:
    """Why the address has a secret."""
    (documented, _), changed = DOCUMENTED, {"user_id": OTHERS_VIEWER, "extra": OTHERS_SESSION}
    reward = adapter(documented).verify(callback(documented, **changed), {}, now=NOW)

    assert (reward.user_id, reward.custom_data) == (OTHERS_VIEWER, OTHERS_SESSION)
    assert not {Part.VIEWER, Part.SESSION} & PangleAdapter.conduct.covered


def test_does_not_care_what_else_a_version_sends() -> None:
    documented = DOCUMENTED[0]
    query = callback(documented) + "&network=pangle&ecpm=0.1&prime_rit=1"

    assert adapter(documented).verify(query, {}, now=NOW).custom_data == SESSION


@pytest.mark.parametrize(
    "changed",
    [
        {"trans_id": "2"},
        {"trans_id": ""},
        {"trans_id": "a:b c"},
        {"sign": "0" * 64},
        {"sign": ""},
        {"user_id": "somebody"},
        {"extra": ""},
        {"extra": "{}"},
    ],
    ids=str,
)
def test_refuses_what_is_not_whole(changed: dict[str, str]) -> None:
    documented = DOCUMENTED[0]
    with pytest.raises(NetworkError):
        adapter(documented).verify(callback(documented, **changed), {}, now=NOW)


def test_a_key_and_a_transaction_are_divided_in_one_way_only() -> None:
    """`key` + `:` + `a:b` is one text with `key:a` + `:` + `b`, if somebody has such a key."""
    both = PangleAdapter(security_keys=[("1", "key"), ("2", "key:a")])
    query = callback({"trans_id": "a:b", "sign": sign(b"key", "a:b")})

    assert both.verify(query, {}, now=NOW).ad_unit == "1"
    with pytest.raises(NetworkError, match="does not match"):
        PangleAdapter(security_keys=[("2", "key")]).verify(query.replace("a%3Ab", "b"), {}, now=NOW)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "no secret"),
        ([("1", "")], "no secret"),
        ([("1", "a"), ("2", "a")], "the same security key"),
    ],
)
def test_believes_nobody_without_a_key_of_their_own(keys: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PangleAdapter(security_keys=keys)
