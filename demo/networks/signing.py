"""How each network writes and signs the callback for one view."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import quote, urlencode

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from ads.networks.fake import FakeAdNetwork
from demo.networks.account import Account

AD_NETWORK = "5450213213286189855"
_BLOCK_BYTES = 16


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An ad that was watched to its end: where, what the SDK had been given, and when."""

    ad_unit: str
    custom_data: str
    user_id: str
    transaction_id: str
    watched_at: datetime
    amount: int = 1

    @property
    def milliseconds(self) -> int:
        return int(self.watched_at.timestamp() * 1000)


Writer = Callable[[Account, View], str]


def admob(account: Account, view: View) -> str:
    """A signed query string of AdMob's, with the newest key."""
    key = account.admob_keys[0]
    values = {
        "ad_network": AD_NETWORK,
        "ad_unit": view.ad_unit.rpartition("/")[2],
        "custom_data": view.custom_data,
        "reward_amount": view.amount,
        "reward_item": "Episode",
        "timestamp": view.milliseconds,
        "transaction_id": view.transaction_id,
        "user_id": view.user_id,
    }
    text = "&".join(f"{name}={value}" for name, value in values.items())
    return FakeAdNetwork(key.private, key_id=key.key_id).sign(text)


def applovin(account: Account, view: View) -> str:
    """Our template of docs/ads/applovin.md, filled in."""
    values = {
        "ad_unit_id": view.ad_unit,
        "custom_data": view.custom_data,
        "event_id": hashlib.sha1(view.transaction_id.encode(), usedforsecurity=False).hexdigest(),
        "ts": str(view.milliseconds // 1000),
        "user_id": view.user_id,
    }
    signed = "".join(value for _, value in sorted(values.items())) + account.applovin_event_key
    token = hashlib.sha256(signed.encode()).hexdigest()
    return urlencode({**values, "event_token_all": token})


def applovin_event(account: Account, view: View) -> str:
    """The other template, whose token is of the event id alone."""
    head, _, _ = applovin(account, view).partition("&event_token_all=")
    event_id = hashlib.sha1(view.transaction_id.encode(), usedforsecurity=False).hexdigest()
    signed = (event_id + account.applovin_event_key).encode()
    token = hashlib.sha1(signed, usedforsecurity=False).hexdigest()
    return f"{head}&event_token={token}"


def levelplay(account: Account, view: View) -> str:
    """LevelPlay's mandatory parameters, two optional ones, and its signature."""
    values = {
        "userId": view.user_id,
        "rewards": str(view.amount),
        "eventId": view.transaction_id,
        "placementName": "paywall",
        "appKey": view.ad_unit,
        "dynamicUserId": view.custom_data,
        "timestamp": view.watched_at.strftime("%Y%m%d%H%M"),
    }
    signed = "".join(values[name] for name in ("timestamp", "eventId", "userId", "rewards"))
    signature = hashlib.md5(
        (signed + account.levelplay_private_key).encode(), usedforsecurity=False
    ).hexdigest()
    return urlencode({**values, "signature": signature})


def unity(account: Account, view: View) -> str:
    """Unity's redeem callback; the SDK was given the server id as custom data."""
    values = {"productid": "1234", "sid": view.custom_data, "oid": view.transaction_id}
    text = ",".join(f"{name}={value}" for name, value in sorted(values.items()))
    signature = hmac.new(account.unity_secret.encode(), text.encode(), "md5").hexdigest()
    return urlencode({**values, "hmac": signature})


def pangle(account: Account, view: View) -> str:
    """Pangle's six parameters."""
    signed = f"{account.pangle_key(view.ad_unit)}:{view.transaction_id}"
    return urlencode(
        {
            "user_id": view.user_id,
            "trans_id": view.transaction_id,
            "reward_name": "剧集",
            "reward_amount": view.amount,
            "extra": view.custom_data,
            "sign": hashlib.sha256(signed.encode()).hexdigest(),
        }
    )


def wechat(account: Account, view: View) -> str:
    """WeChat's envelope around what it has encrypted."""
    content = {
        "transaction_id": view.transaction_id,
        "user_id": view.user_id,
        "reward_item": "剧集",
        "reward_amount": view.amount,
        "custom_data": view.custom_data,
        "extra": "",
    }
    encrypt = _encrypted(account, json.dumps(content, ensure_ascii=False).encode())
    return _wechat_envelope(account, str(view.milliseconds), {"encrypt": encrypt})


def wechat_trial(account: Account, now: datetime) -> str:
    """What WeChat calls with when the address is entered in its console."""
    timestamp = str(int(now.timestamp()))
    return _wechat_envelope(account, timestamp, {"echostr": str(secrets.randbelow(10**19))})


WRITERS: Mapping[str, Writer] = {
    writer.__name__: writer for writer in (admob, applovin, levelplay, unity, pangle, wechat)
}


def _wechat_envelope(account: Account, timestamp: str, content: Mapping[str, str]) -> str:
    nonce = str(secrets.randbelow(10**10))
    signed = [account.wechat_token, timestamp, nonce]
    if "encrypt" in content:
        signed.append(content["encrypt"])
    signature = hashlib.sha256("".join(sorted(signed)).encode()).hexdigest()
    values = {"signature": signature, "timestamp": timestamp, "nonce": nonce, **content}
    return urlencode(values, quote_via=quote)


def _encrypted(account: Account, content: bytes) -> str:
    vector = os.urandom(_BLOCK_BYTES)
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    padded = padder.update(content) + padder.finalize()
    key = base64.b64decode(account.wechat_aes_key + "=")
    encryptor = Cipher(AES(key), CBC(vector)).encryptor()
    sealed = vector + encryptor.update(padded) + encryptor.finalize()
    return base64.b64encode(sealed).decode()
