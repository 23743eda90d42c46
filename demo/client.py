"""A reference client: what an app does to sell and play a series.

    with Transport("http://127.0.0.1:8000") as transport:
        app = ViewerClient(transport)
        app.guest()
        found = app.series(text="吸血鬼")[0]
        wall = app.paywall(found.id)
        app.unlock(wall.next_locked_episode_id, quote=wall.quote, key=new_key())

Four habits are worth copying. An unlock's key is made, and kept, before the first try. A store's
transaction is handed in until the service has answered, and only then finished with the store. What
was read before is asked for again with its ETag. An expired access token is renewed once, and the
request repeated.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
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
class Submission:
    """The answer to a submitted transaction, and its status: 201 credited now, 200 before."""

    answer: answers.Purchase
    status: int


@dataclass(frozen=True)
class Bytes:
    """A part of a file, or the whole of it."""

    content: bytes
    status: int
    mime: str
    size_bytes: int


class ViewerClient:
    """One installation of the app. Methods raise Refused and Unreachable, see `transport`."""

    def __init__(self, transport: Transport, *, locale: str = "en") -> None:
        self.revalidated = 0
        """How many reads the server answered with 304: nothing had changed."""
        self._transport = transport
        self._locale = locale
        self._install_id = str(uuid.uuid4())
        self._tokens: answers.Tokens | None = None
        self._read_before: dict[str, tuple[str, bytes]] = {}

    # --- Who I am --------------------------------------------------------------------------

    def guest(self) -> answers.Tokens:
        """Register this installation as a new viewer. An app does this once and keeps the tokens."""
        body = {"install_id": self._install_id, "platform": "web", "locale": self._locale}
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

    # --- Watching and paying ---------------------------------------------------------------

    def paywall(self, series_id: str) -> answers.Paywall:
        """Every episode as it stands for this viewer, under a quote that unlock takes."""
        return _decode(self._ask("GET", f"/v1/series/{series_id}/paywall"), answers.Paywall)

    def unlock(self, episode_id: str, *, quote: str, key: str) -> Unlock:
        """Spend coins on an episode, exactly as quoted. The same key again has no second effect."""
        response = self._ask(
            "POST",
            f"/v1/episodes/{episode_id}/unlock",
            json={"quote": quote},
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

    def intent(self, pack_id: str, *, provider: str = "fake") -> answers.Intent:
        """Announce a purchase; the answer is what the store's SDK needs."""
        body = {"pack_id": pack_id, "provider": provider}
        return _decode(self._ask("POST", "/v1/purchases/intents", json=body), answers.Intent)

    def submit(self, transaction: str, *, provider: str = "fake") -> Submission:
        """Hand in what the store signed. Repeat it until answered: it is credited once."""
        response = self._ask("POST", f"/v1/purchases/{provider}", json={"transaction": transaction})
        return Submission(_decode(response, answers.Purchase), response.status_code)

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

    # --- How ---------------------------------------------------------------------------------

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
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request in this viewer's name, repeated once with new tokens if they had expired."""

        def attempt() -> httpx.Response:
            bearer = {"Authorization": f"Bearer {self._known_tokens().access_token}"}
            return self._transport.send(
                method, path, json=json, query=query, headers={**bearer, **(headers or {})}
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


def _decode(response: httpx.Response, shape: type[Answer]) -> Answer:
    return msgspec.json.decode(response.content, type=shape)
