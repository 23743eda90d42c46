"""A reference client: what an app does to sell and play a series.

    with Transport("http://127.0.0.1:8000") as transport:
        app = ViewerClient(transport)
        app.guest()
        found = app.series(text="吸血鬼")[0]
        wall = app.paywall(found.id)
        app.unlock(wall.next_locked_episode_id, quote=wall.quote, key=new_key())

Five habits are worth copying. An unlock's key is made, and kept, before the first try. A store's
transaction is handed in until the service has answered, and only then finished with the store. What
was read before is asked for again with its ETag. An expired access token is renewed once, and the
request repeated. What happened is collected in an `event_log.EventLog`, which keeps each batch until
it is answered.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

import httpx
import msgspec

from demo import answers
from demo.transport import Refused, Transport

Answer = TypeVar("Answer")


def new_key() -> str:
    """An Idempotency-Key: unique, made once for each intention and stored until it is answered."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Unlock:
    """The answer to an unlock, and whether it repeats that of an earlier request."""

    answer: answers.Unlocked
    is_replay: bool


@dataclass(frozen=True)
class Watched:
    """A playback, and how far into the story of its episode it was."""

    playback_session_id: str
    position_ms: int


@dataclass(frozen=True)
class Submission:
    """The answer to a submitted transaction, and its status: 201 credited now, 200 before."""

    answer: answers.Purchase
    status: int


class StillWaits(Exception):
    """The service keeps the transaction until it can be credited; ask for it by its id."""

    def __init__(self, answer: answers.Submitted) -> None:
        super().__init__(f"{answer.id} {answer.reason}")
        self.answer = answer


@dataclass(frozen=True)
class Bytes:
    """A part of a file, or the whole of it."""

    content: bytes
    status: int
    mime: str
    size_bytes: int


@dataclass(frozen=True)
class Installation:
    """The app on one device: what it says of itself, and an id that it made on its first start."""

    install_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    platform: str = "web"
    app_version: str = ""
    locale: str = "en"
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class Impression:
    """What a network's SDK says that one ad earned, an estimate in micros of a currency."""

    impression_id: str
    network: str
    ad_unit_id: str
    revenue_micros: int
    occurred_at: str
    format: str = "rewarded"
    currency: str = "USD"
    precision: str = "estimated"
    country: str = ""
    placement: str = ""
    ad_session_id: str | None = None


class ViewerClient:
    """One installation of the app. Methods raise Refused and Unreachable, see `transport`.

    `tokens` are those that an earlier start has kept.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        locale: str = "en",
        installation: Installation | None = None,
        tokens: answers.Tokens | None = None,
    ) -> None:
        self.revalidated = 0
        """How many reads the server answered with 304: nothing had changed."""
        self.installation = installation or Installation(locale=locale)
        self._transport = transport
        self._locale = self.installation.locale
        self._tokens = tokens
        self._read_before: dict[str, tuple[str, bytes]] = {}

    # --- Who I am --------------------------------------------------------------------------

    def guest(self) -> answers.Tokens:
        """Register this installation as a new viewer. An app does this once and keeps the tokens."""
        body = asdict(self.installation)
        response = self._transport.send("POST", "/v1/viewers", json=body)
        self._tokens = _decode(response, answers.Tokens)
        return self._tokens

    def refresh(self) -> answers.Tokens:
        """Exchange the refresh token for new tokens. A lost reply is asked for again at once."""
        body = {"refresh_token": self._known_tokens().refresh_token}
        response = self._transport.send("POST", "/v1/viewers/tokens", json=body)
        self._tokens = _decode(response, answers.Tokens)
        return self._tokens

    def me(self) -> answers.Me:
        """The viewer as the service knows them."""
        return _decode(self._ask("GET", "/v1/me"), answers.Me)

    # --- What there is to watch ------------------------------------------------------------

    def series(self, *, text: str = "", locale: str = "") -> list[answers.Series]:
        """Every published series, newest first; with `text` those that hold all its words."""
        found: list[answers.Series] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self._read(
                "/v1/series", answers.SeriesPage, q=text, locale=locale, cursor=cursor, limit=100
            )
            found += page.series
            cursor = page.next_cursor
        return found

    def one_series(self, series_id: str, *, locale: str = "") -> answers.Series:
        """A series by its id."""
        return self._read(f"/v1/series/{series_id}", answers.Series, locale=locale)

    def episodes(self, series_id: str, *, locale: str = "") -> list[answers.Episode]:
        """All episodes of a series, by number."""
        found: list[answers.Episode] = []
        cursor: str | None = ""
        while cursor is not None:
            path = f"/v1/series/{series_id}/episodes"
            page = self._read(path, answers.EpisodePage, locale=locale, cursor=cursor, limit=100)
            found += page.episodes
            cursor = page.next_cursor
        return found

    def feed(self, *, limit: int, after: str = "") -> answers.Feed:
        """What to show next; `after` a decision of this feed, what comes then."""
        query: dict[str, str | int] = {"limit": limit, "locale": self._locale}
        return _decode(
            self._ask("GET", "/v1/feed", query=query | ({"after": after} if after else {})),
            answers.Feed,
        )

    def put_history(self, *, series_id: str, episode_id: str, position_ms: int) -> answers.Position:
        """Keep where this viewer stands in a series, for all their devices."""
        body = {"series_id": series_id, "episode_id": episode_id, "position_ms": position_ms}
        return _decode(self._ask("PUT", "/v1/me/history", json=body), answers.Position)

    def history(self) -> answers.History:
        """Where this viewer stands, last watched first: the first page of it."""
        return _decode(self._ask("GET", "/v1/me/history"), answers.History)

    def put_favorite(self, series_id: str, *, is_favorite: bool = True) -> None:
        """Add a favorite, or take it out."""
        body = {"series_id": series_id, "is_favorite": is_favorite}
        self._ask("PUT", "/v1/me/favorites", json=body)

    def favorites(self) -> answers.Favorites:
        """The latest favorites: the first page of them."""
        return _decode(self._ask("GET", "/v1/me/favorites"), answers.Favorites)

    # --- Watching and paying ---------------------------------------------------------------

    def paywall(self, series_id: str) -> answers.Paywall:
        """Every episode as it stands for this viewer, under a quote that unlock takes."""
        return _decode(self._ask("GET", f"/v1/series/{series_id}/paywall"), answers.Paywall)

    def unlock(
        self,
        episode_id: str,
        *,
        quote: str,
        key: str,
        watched: Watched | None = None,
        confirmed_spend_coins: int | None = None,
    ) -> Unlock:
        """Spend coins on an episode, exactly as quoted. The same key again has no second effect.

        `watched` is what led here, so that the moment that sold the episode can be told. Who has spent much
        today is refused with `spend_confirmation_needed`: ask them, and call again with the refusal's
        `confirm_spend_coins`.
        """
        confirmed = (
            {}
            if confirmed_spend_coins is None
            else {"confirmed_spend_coins": confirmed_spend_coins}
        )
        response = self._ask(
            "POST",
            f"/v1/episodes/{episode_id}/unlock",
            json={"quote": quote, **(asdict(watched) if watched else {}), **confirmed},
            headers={"Idempotency-Key": key},
        )
        is_replay = response.headers.get("Idempotent-Replayed") == "true"
        return Unlock(_decode(response, answers.Unlocked), is_replay)

    def play(self, episode_id: str) -> answers.Playing:
        """Short-lived URLs of an episode and of the next few. 402 while it is locked."""
        return _decode(self._ask("POST", f"/v1/episodes/{episode_id}/play"), answers.Playing)

    def fetch(self, url: str, *, first: int | None = None, last: int | None = None) -> Bytes:
        """The file behind a playback or poster URL, or its bytes `first` to `last` inclusive."""
        headers = (
            {} if first is None else {"Range": f"bytes={first}-{'' if last is None else last}"}
        )
        response = self._transport.send("GET", url, headers=headers)
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return Bytes(
            content=response.content,
            status=response.status_code,
            mime=response.headers.get("Content-Type", ""),
            size_bytes=int(total) if total.isdigit() else len(response.content),
        )

    def offers(self) -> list[answers.Offer]:
        """The coin packs on sale."""
        return _decode(self._ask("GET", "/v1/offers"), answers.Offers).offers

    def passes(self) -> list[answers.PassOffer]:
        """The passes on sale, and the subscriptions."""
        return _decode(self._ask("GET", "/v1/passes"), answers.Passes).passes

    def intent(self, pack_id: str, *, provider: str = "fake") -> answers.Intent:
        """Announce a purchase; the answer is what the store's SDK needs."""
        return self._announce({"pack_id": pack_id, "provider": provider})

    def pass_intent(self, pass_id: str, *, provider: str = "fake") -> answers.Intent:
        """The same of a pass or a subscription."""
        return self._announce({"pass_id": pass_id, "provider": provider})

    def submit(self, transaction: str, *, provider: str = "fake") -> Submission:
        """Hand in what the store gave. Repeat it until answered: it is credited once. Raises StillWaits where the
        service cannot ask the store yet: it is credited by itself."""
        response = self._ask("POST", f"/v1/purchases/{provider}", json={"transaction": transaction})
        if response.status_code == httpx.codes.ACCEPTED:
            raise StillWaits(_decode(response, answers.Submitted))
        return Submission(_decode(response, answers.Purchase), response.status_code)

    def submitted(self, submission_id: str) -> answers.Submitted:
        """What has come of what waited."""
        return _decode(self._ask("GET", f"/v1/purchases/{submission_id}"), answers.Submitted)

    def checkout(self, intent_id: str, *, success_url: str, cancel_url: str) -> answers.Checkout:
        """Stripe's page for an announced purchase."""
        body = {"success_url": success_url, "cancel_url": cancel_url}
        return _decode(
            self._ask("POST", f"/v1/purchases/intents/{intent_id}/checkout", json=body),
            answers.Checkout,
        )

    def subscriptions(self) -> list[answers.Subscription]:
        """What this viewer subscribes to, or did, the latest begun first."""
        return _decode(
            self._ask("GET", "/v1/me/subscriptions"), answers.Subscriptions
        ).subscriptions

    def portal(self, subscription_id: str, *, return_url: str) -> answers.Portal:
        """Where Stripe lets a subscription be seen to."""
        path = f"/v1/me/subscriptions/{subscription_id}/portal"
        return _decode(self._ask("POST", path, json={"return_url": return_url}), answers.Portal)

    def restore(
        self, transactions: list[str], *, provider: str, transfer: bool = False
    ) -> list[answers.Restored]:
        """Hand in everything that the store has on this device."""
        body = {"provider": provider, "transactions": transactions, "transfer": transfer}
        return _decode(
            self._ask("POST", "/v1/purchases/restore", json=body), answers.RestoredAll
        ).restored

    def wallet(self) -> answers.Wallet:
        """What can be spent now."""
        return _decode(self._ask("GET", "/v1/me/wallet"), answers.Wallet)

    def statement(self) -> list[answers.Movement]:
        """Every movement of coins, newest first."""
        entries: list[answers.Movement] = []
        cursor: str | None = ""
        while cursor is not None:
            query: dict[str, str | int] = {"cursor": cursor, "limit": 100}
            page = _decode(
                self._ask("GET", "/v1/me/wallet/entries", query=query), answers.Statement
            )
            entries += page.entries
            cursor = page.next_cursor
        return entries

    def open_ad(
        self, placement: str, episode_id: str, *, watched: Watched | None = None
    ) -> answers.AdSession:
        """Announce that an ad will be watched for an episode; the answer is what the SDK needs."""
        body = {"placement": placement, "episode_id": episode_id}
        return _decode(
            self._ask(
                "POST", "/v1/ads/sessions", json={**body, **(asdict(watched) if watched else {})}
            ),
            answers.AdSession,
        )

    def ad(self, ad_session_id: str) -> answers.AdState:
        """How an ad session stands. It is `rewarded` once the network has told the service."""
        return _decode(self._ask("GET", f"/v1/ads/sessions/{ad_session_id}"), answers.AdState)

    def tell_impressions(self, impressions: Sequence[Impression]) -> list[answers.ToldImpression]:
        """Tell what ads earned. Repeat it until answered: an impression's id counts once."""
        body = {"impressions": [asdict(one) for one in impressions]}
        response = self._ask("POST", "/v1/ads/impressions", json=body)
        return _decode(response, answers.ToldImpressions).verdicts

    # --- What happened -----------------------------------------------------------------------

    def report(self, batch: bytes) -> answers.Reported:
        """Hand in a batch of events. Repeat it until answered: it counts once."""
        response = self._ask(
            "POST", "/v1/events", content=batch, headers={"Content-Type": "application/json"}
        )
        return _decode(response, answers.Reported)

    # --- How ---------------------------------------------------------------------------------

    def _announce(self, body: Mapping[str, str]) -> answers.Intent:
        return _decode(self._ask("POST", "/v1/purchases/intents", json=body), answers.Intent)

    def _read(self, path: str, shape: type[Answer], **query: str | int) -> Answer:
        """A public read. It carries no token, so that every cache on the way may answer it."""
        asked = {name: value for name, value in query.items() if value != ""}
        address = str(httpx.URL(path, params=asked))
        etag, body = self._read_before.get(address, ("", b""))
        headers = {"Accept-Language": self._locale} | ({"If-None-Match": etag} if etag else {})
        response = self._transport.send("GET", path, query=asked, headers=headers)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            self.revalidated += 1
        else:
            body = response.content
            self._read_before[address] = (response.headers.get("ETag", ""), body)
        return msgspec.json.decode(body, type=shape)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        content: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request in this viewer's name, repeated once with new tokens if they had expired."""

        def attempt() -> httpx.Response:
            bearer = {"Authorization": f"Bearer {self._known_tokens().access_token}"}
            return self._transport.send(
                method,
                path,
                json=json,
                content=content,
                query=query,
                headers={**bearer, **(headers or {})},
            )

        try:
            return attempt()
        except Refused as refusal:
            if refusal.code != "token_expired":
                raise
        self.refresh()
        return attempt()

    def _known_tokens(self) -> answers.Tokens:
        if self._tokens is None:
            raise LookupError("call guest() first")
        return self._tokens


class FakeStoreSdk:
    """Stands for a store's SDK on the phone: the checkout that gives a signed transaction."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def buy(self, intent: answers.Intent) -> str:
        """The store's signed transaction for an announced purchase. No money changes hands."""
        body = {
            "product_id": intent.store_product_id,
            "account_token": intent.account_token,
            "intent_id": intent.intent_id,
        }
        response = self._transport.send("POST", "/fake-store/transactions", json=body)
        return _decode(response, answers.Sale).transaction


class FakeAdNetwork:
    """Stands for an ad network: the ad on the phone, and the network's server that attests it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def watch(self, session: answers.AdSession) -> None:
        """Shows nothing, and calls the service back as if somebody had watched to the end."""
        self.call_back(self.show(session))

    def show(self, session: answers.AdSession) -> str:
        """The query that the network's server signs once the ad was watched."""
        body = {
            "ad_unit_id": session.ad_unit_id,
            "custom_data": session.custom_data,
            "user_id": session.user_id,
        }
        response = self._transport.send("POST", "/fake-ads/views", json=body)
        return _decode(response, answers.AdView).callback

    def call_back(self, callback: str) -> None:
        """What the network's server does, until it is answered with a 200."""
        self._transport.send("GET", f"/v1/ssv/fake?{callback}")


def _decode(response: httpx.Response, shape: type[Answer]) -> Answer:
    return msgspec.json.decode(response.content, type=shape)
