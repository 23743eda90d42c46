"""Unity Ads' redeem callback: the documented signature, and one value that carries two."""

import hmac
import json
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from ads.networks.base import Fault, NetworkError, SignedReward
from ads.networks.unity import UnityAdsAdapter, signed_text
from tests.ads.networks.cases import NOW, SESSION, VIEWER

DOCUMENTED = json.loads(
    (Path(__file__).parents[1] / "payloads/unity/redeem_callback.json").read_text(encoding="utf-8")
)
SECRET = DOCUMENTED["secret"]
ADAPTER = UnityAdsAdapter(secrets=[SECRET])
VALUES = {"productid": "1234", "sid": SESSION + VIEWER, "oid": "0987654321"}


def signed(values: dict[str, str]) -> str:
    text = ",".join(f"{name}={values[name]}" for name in sorted(values))
    return urlencode(values | {"hmac": hmac.new(SECRET.encode(), text.encode(), "md5").hexdigest()})


def read(query: str) -> SignedReward:
    return ADAPTER.verify(query, {}, now=NOW)


def test_signs_as_the_documentation_does() -> None:
    values = dict(parse_qsl(DOCUMENTED["query"]))
    signature = hmac.new(SECRET.encode(), signed_text(values).encode(), "md5").hexdigest()

    assert signed_text(values) == DOCUMENTED["signed_text"]
    assert signature == values["hmac"]


def test_takes_the_documented_callback_for_none_of_ours() -> None:
    """Its server id is not a session and a viewer of ours."""
    with pytest.raises(NetworkError, match="sid is not") as refused:
        read(DOCUMENTED["query"])

    assert refused.value.fault is Fault.MALFORMED


def test_divides_the_server_id() -> None:
    assert read(signed(VALUES)) == SignedReward(
        transaction_id="0987654321",
        ad_unit=None,
        custom_data=SESSION,
        user_id=VIEWER,
        is_probe=False,
    )


def test_does_without_a_product_in_the_address() -> None:
    without = {name: value for name, value in VALUES.items() if name != "productid"}

    assert read(signed(without)) == read(signed(VALUES))


@pytest.mark.parametrize(
    "changed",
    [
        {"oid": "1,productid=2"},
        {"oid": "a=b"},
        {"oid": ""},
        {"sid": SESSION},
        {"sid": SESSION + VIEWER + "0"},
        {"sid": (SESSION + VIEWER).upper()},
        {"productid": "1,sid=2"},
        {"placement": "rewardedVideo"},
    ],
    ids=str,
)
def test_refuses_what_is_signed_and_would_leave_two_readings(changed: dict[str, str]) -> None:
    with pytest.raises(NetworkError) as refused:
        read(signed(VALUES | changed))

    assert refused.value.fault is Fault.MALFORMED


def test_a_parameter_hides_in_no_other() -> None:
    """`oid=1,productid=1234` is one text with `oid=1` and `productid=1234`."""
    query = signed(VALUES)
    without = [pair for pair in query.split("&") if not pair.startswith(("oid=", "productid="))]
    with pytest.raises(NetworkError, match="oid is not"):
        read("&".join(["oid=0987654321%2Cproductid%3D1234", *without]))


def test_believes_nobody_without_a_secret() -> None:
    with pytest.raises(ValueError, match="no secret"):
        UnityAdsAdapter(secrets=[])
