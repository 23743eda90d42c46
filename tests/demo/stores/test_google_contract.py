"""Google's document judges what is asked and answered: what is as it says passes, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.stores.google.contract import Contract

TESTS = Path(__file__).parents[2]
CONTRACT = Contract(TESTS / "payments/payloads/google_play/androidpublisher.v3.discovery.json")
ROOT = "/androidpublisher/v3/applications/app.example"
REAL = (
    TESTS.parent.parent
    / "shared/vectors/local_only/google_play/rtdn_and_subscriptionsv2_real_sandbox.json"
)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_googles_own_answers_are_as_google_says() -> None:
    """But for a member of 2025 that the document of 2026 has no more."""
    for pair in json.loads(REAL.read_text(encoding="utf-8")):
        wrong = CONTRACT.wrong("SubscriptionPurchaseV2", pair["subscriptionsv2"])
        assert wrong == ["$.latestOrderId is unknown"]


@pytest.mark.parametrize(
    ("verb", "path", "name"),
    [
        ("GET", "/purchases/productsv2/tokens/a.b", "purchases.productsv2.getproductpurchasev2"),
        ("POST", "/purchases/products/p/tokens/t:consume", "purchases.products.consume"),
        ("GET", "/purchases/subscriptionsv2/tokens/t", "purchases.subscriptionsv2.get"),
        ("POST", "/purchases/subscriptionsv2/tokens/t:revoke", "purchases.subscriptionsv2.revoke"),
        ("GET", "/purchases/voidedpurchases", "purchases.voidedpurchases.list"),
        ("GET", "/orders:batchGet", "orders.batchget"),
        ("GET", "/orders/GPA.1..2", "orders.get"),
        ("POST", "/orders/GPA.1:reviewrefund", "orders.reviewrefund"),
    ],
)
def test_knows_every_call(verb: str, path: str, name: str) -> None:
    method = CONTRACT.method(verb, ROOT + path)
    assert method is not None
    assert method.name == name


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/purchases/productsv2/tokens/t"),
        ("GET", "/purchases/productsv2/tokens/"),
        ("GET", "/purchases/productsv2/tokens/a/b"),
        ("GET", "/purchases/productsv3/tokens/t"),
    ],
)
def test_knows_no_other(verb: str, path: str) -> None:
    assert CONTRACT.method(verb, ROOT + path) is None


MONEY = {"currencyCode": "AUD", "units": "4", "nanos": 990_000_000}


@pytest.mark.parametrize(
    ("schema", "value", "wrong"),
    [
        ("Money", MONEY, ""),
        ("Money", MONEY | {"units": 4}, "$.units is no string"),
        ("Money", MONEY | {"units": "4.5"}, "$.units is no int64"),
        ("Money", MONEY | {"units": str(2**63)}, "$.units is no int64"),
        ("Money", MONEY | {"nanos": "5"}, "$.nanos is no integer"),
        ("Money", MONEY | {"nanos": True}, "$.nanos is no integer"),
        ("Money", MONEY | {"nanos": 2**31}, "$.nanos is no int32"),
        ("Money", MONEY | {"cents": 1}, "$.cents is unknown"),
        ("Money", [], "$ is no object"),
        ("Order", {"createTime": "2026-11-28T12:00:00.000Z"}, ""),
        ("Order", {"createTime": "2026-11-28T12:00:00"}, "$.createTime is no google-datetime"),
        ("Order", {"createTime": "today"}, "$.createTime is no google-datetime"),
        ("Order", {"state": "LOST"}, "$.state is 'LOST'"),
        ("Order", {"lineItems": [{}, {"total": 1}]}, "$.lineItems[1].total is no object"),
    ],
)
def test_judges_values(schema: str, value: Any, wrong: str) -> None:
    assert CONTRACT.wrong(schema, value) == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("path", "query", "body", "wrong"),
    [
        ("/orders/o:reviewrefund", {}, b'{"pendingRefundToken": "t"}', ""),
        ("/orders/o:reviewrefund", {}, b'{"refundToken": "t"}', "$.refundToken is unknown"),
        ("/orders/o:reviewrefund", {}, b"<html>", "not JSON"),
        ("/orders/o:reviewrefund", {"alt": ["json"]}, b"{}", ""),
        ("/orders/o:reviewrefund", {"alt": ["xml"]}, b"{}", "alt=xml"),
        ("/orders/o:reviewrefund", {"x": ["1"]}, b"{}", "an unknown parameter x"),
        ("/purchases/products/p/tokens/t:consume", {}, b"", ""),
        ("/purchases/products/p/tokens/t:consume", {}, b"{}", "a body where none belongs"),
    ],
)
def test_judges_what_is_asked(
    path: str, query: dict[str, list[str]], body: bytes, wrong: str
) -> None:
    method = CONTRACT.method("POST", ROOT + path)
    assert method is not None
    assert CONTRACT.wrong_request(method, query, body) == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"type": ["1"], "includeQuantityBasedPartialRefund": ["true"]}, ""),
        ({"type": ["one"]}, "type=one"),
        ({"includeQuantityBasedPartialRefund": ["True"]}, "includeQuantityBasedPartialRefund=True"),
        ({"startTime": ["now"]}, "startTime=now"),
        ({"maxResults": ["-1"]}, "maxResults=-1"),
        ({"token": ["a", "b"]}, "token comes more than once"),
    ],
)
def test_judges_parameters(query: dict[str, list[str]], wrong: str) -> None:
    method = CONTRACT.method("GET", f"{ROOT}/purchases/voidedpurchases")
    assert method is not None
    assert CONTRACT.wrong_request(method, query, b"") == ([wrong] if wrong else [])


def test_judges_what_is_answered() -> None:
    consume = CONTRACT.method("POST", f"{ROOT}/purchases/products/p/tokens/t:consume")
    order = CONTRACT.method("GET", f"{ROOT}/orders/o")
    assert consume is not None
    assert order is not None
    assert CONTRACT.wrong_answer(consume, b"") == []
    assert CONTRACT.wrong_answer(consume, b"{}") == ["an answer where none belongs"]
    assert CONTRACT.wrong_answer(order, b"{}") == []
    assert CONTRACT.wrong_answer(order, b"") == ["not JSON"]
