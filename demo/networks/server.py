"""The networks' addresses.

    GET    /admob/verifier-keys.json   AdMob's key list
    POST   /views                      Watch: an ad was watched to its end; answers what goes out for it
    POST   /probes                     {"network": …}: the console tries our address; answers what we said
    GET    /_settings?pangle=UNIT      what our side has to be set to, by the names of settings
    PUT    /_target                    Target: where callbacks go from now on
    PUT    /_lies                      Habits: how views are lied about that ask for no lie
    GET    /_callbacks                 what is on its way, was answered and was given up
    POST   /_callbacks/flush           everything that waits goes out now; answers when it has
    POST   /_commands/rotate_keys      {"keeps_old": true}: AdMob signs with a new key

Beside these, those of `demo.networks.reporting`, and those of every peer (`demo.stores.peer`); its notifications and their addresses are idle here.
"""

import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx
import msgspec

from demo.networks import account as accounts
from demo.networks import lies, signing
from demo.networks.account import Account
from demo.networks.lies import Habits, Lie
from demo.networks.reporting import Reporting
from demo.networks.sending import Callbacks, attempted
from demo.networks.signing import View
from demo.stores.deliveries import Deliveries
from demo.stores.kept import Kept
from demo.stores.messages import Answer, Rejected, Request
from demo.stores.peer import Clock, Peer, Route

KEYS_MAX_AGE_SECONDS = 3600
#: A transaction that AdMob's console sends.
ADMOB_PROBE = "123456789"


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the app showed, and what it had given to the network's SDK."""

    network: str
    ad_unit: str
    custom_data: str
    user_id: str
    lie: Lie | None = None
    late_seconds: float = 0.0


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    secret: str = ""


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    network: str


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keeps_old: bool = True


class AdNetworks:
    """Every network that calls, with one account at each, kept in a folder."""

    def __init__(self, folder: Path, *, target: str = "", address_secret: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.kept = Kept[Account](folder / "networks.json", accounts.opened())
        with self.kept.changing() as account:
            account.target = target or account.target
            account.address_secret = address_secret or account.address_secret
        self.callbacks = Callbacks()
        self.reporting = Reporting()
        self._clock = Clock()
        self._lock = threading.Lock()
        self._be(Habits())
        self.peer = Peer(
            routes=list(self._routes()),
            folder=folder,
            clock=self._clock,
            deliveries=Deliveries(threads=0),
        )

    def _routes(self) -> Iterator[Route]:
        yield Route("GET", "/admob/verifier-keys.json", self._tell_keys)
        yield Route("POST", "/views", self._watch)
        yield Route("POST", "/probes", self._probe)
        yield Route("GET", "/_settings", self._tell_settings)
        yield Route("PUT", "/_target", self._aim)
        yield Route("PUT", "/_lies", self._order_lies)
        yield Route("GET", "/_callbacks", self._tell_callbacks)
        yield Route("POST", "/_callbacks/flush", self._flush)
        yield Route("POST", "/_commands/rotate_keys", self._rotate_keys)
        yield from self.reporting.routes()

    def _tell_keys(self, request: Request, match: "re.Match[str]") -> Answer:
        with self.kept.reading() as account:
            return Answer.of(
                accounts.published(account),
                headers={"Cache-Control": f"public, max-age={KEYS_MAX_AGE_SECONDS}"},
            )

    def _watch(self, request: Request, match: "re.Match[str]") -> Answer:
        watch = request.read(Watch)
        writer = _writer(watch.network)
        with self._lock:
            lie = watch.lie or lies.drawn(self._habits, self._chance)
        with self.kept.reading() as account:
            view = _view(watch, self._clock())
            queries = lies.written(writer, account, view, lie)
            urls = [_url(account, watch.network, query) for query in queries]
        for number, url in enumerate(urls):
            # One after the other: a repetition is of something that has come.
            self.callbacks.send(
                network=watch.network,
                transaction_id=_transaction(watch.network, url),
                url=url,
                after_seconds=watch.late_seconds + 0.05 * number,
            )
        return Answer.of({"lie": lie, "callbacks": queries})

    def _probe(self, request: Request, match: "re.Match[str]") -> Answer:
        network = request.read(Trial).network
        with self.kept.reading() as account:
            url = _url(account, network, _trial(account, network, self._clock()))
        with httpx.Client() as client:
            return Answer.of(attempted(client, network, _transaction(network, url), url))

    def _tell_settings(self, request: Request, match: "re.Match[str]") -> Answer:
        units = request.query.get("pangle", ())
        with self.kept.reading() as account:
            return Answer.of(
                {
                    "AD_CALLBACK_SECRET": account.address_secret,
                    "APPLOVIN_EVENT_KEYS": account.applovin_event_key,
                    "LEVELPLAY_PRIVATE_KEYS": account.levelplay_private_key,
                    "UNITY_ADS_SECRETS": account.unity_secret,
                    "PANGLE_SECURITY_KEYS": ",".join(
                        f"{unit}:{account.pangle_key(unit)}" for unit in units
                    ),
                    "WECHAT_ADS_TOKEN": account.wechat_token,
                    "WECHAT_ADS_AES_KEY": account.wechat_aes_key,
                    **self.reporting.settings(),
                }
            )

    def _aim(self, request: Request, match: "re.Match[str]") -> Answer:
        target = request.read(Target)
        with self.kept.changing() as account:
            account.target, account.address_secret = target.url, target.secret
        return Answer(status=204)

    def _order_lies(self, request: Request, match: "re.Match[str]") -> Answer:
        self._be(request.read(Habits))
        return Answer(status=204)

    def _be(self, habits: Habits) -> None:
        with self._lock:
            self._habits = habits
            self._chance = Random(habits.seed)  # noqa: S311  repeatable by its seed

    def _tell_callbacks(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of(self.callbacks.told())

    def _flush(self, request: Request, match: "re.Match[str]") -> Answer:
        return Answer.of({"left": self.callbacks.flush()})

    def _rotate_keys(self, request: Request, match: "re.Match[str]") -> Answer:
        rotation = request.read(Rotation)
        with self.kept.changing() as account:
            accounts.rotate(account, keeps_old=rotation.keeps_old)
            return Answer.of(accounts.published(account))


def _writer(network: str) -> signing.Writer:
    if network not in signing.WRITERS:
        raise Rejected(Answer.of({"error": f"nobody calls for {network!r}"}, status=404))
    return signing.WRITERS[network]


def _view(watch: Watch, now: datetime) -> View:
    return View(
        ad_unit=watch.ad_unit,
        custom_data=watch.custom_data,
        user_id=watch.user_id,
        transaction_id=uuid4().hex,
        watched_at=now,
    )


def _trial(account: Account, network: str, now: datetime) -> str:
    """What the network's console sends when somebody has it try the address."""
    if network == "wechat":
        return signing.wechat_trial(account, now)
    if network not in ("admob", "levelplay"):
        raise Rejected(Answer.of({"error": f"{network!r} tries no address"}, status=404))
    view = View(
        ad_unit="1234567890",
        custom_data="",
        user_id="probe" if network == "levelplay" else "",
        transaction_id=ADMOB_PROBE if network == "admob" else uuid4().hex,
        watched_at=now,
    )
    return signing.WRITERS[network](account, view)


def _url(account: Account, network: str, query: str) -> str:
    secret = "" if network == "admob" or not account.address_secret else account.address_secret
    return f"{account.target}/{network}{'/' + secret if secret else ''}?{query}"


def _transaction(network: str, url: str) -> str:
    """How the callback names its view; what is sealed or has no name is called by its address."""
    name = {"admob": "transaction_id", "applovin": "event_id", "levelplay": "eventId"}.get(network)
    name = name or {"unity": "oid", "pangle": "trans_id"}.get(network, "")
    return str(httpx.URL(url).params.get(name, url))
