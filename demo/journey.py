"""One viewer's way from the first start of an app to a watched, paid episode, over HTTP.

Each step does what an app does, holds the answers against exact facts, and yields a line that says
what was seen. `make demo` shows it, `make smoke` proves an instance with it.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from demo.answers import Episode, Movement, Offer, Paywall, Series
from demo.client import Bytes, FakeStoreSdk, Submission, ViewerClient, new_key
from demo.facts import WrongFact, fact, refused
from demo.transport import Transport

RANGE_BYTES = 1024


@dataclass(frozen=True)
class Step:
    """A finished step: its name and what was seen."""

    name: str
    seen: str


@dataclass(frozen=True)
class Expected:
    """What is known of the series beforehand. `title` is in the locale that is searched in."""

    search_text: str
    locale: str
    title: str
    prices_coins: tuple[int, ...]
    """Of each episode in order, 0 for a free one. The first locked one costs this on the wall."""

    @property
    def free_count(self) -> int:
        return self.prices_coins.count(0)

    @property
    def first_price_coins(self) -> int:
        return next(price for price in self.prices_coins if price)


Walk = Iterator[Step]


def timed(steps: Walk) -> Iterator[tuple[Step, float]]:
    """Each step with how long it took, in milliseconds."""
    started = time.monotonic()
    for step in steps:
        yield step, (time.monotonic() - started) * 1000
        started = time.monotonic()


def walk(transport: Transport, expected: Expected) -> Walk:
    """The whole journey of a new viewer, a step at a time. Raises WrongFact at the first that is."""
    app = ViewerClient(transport, locale=expected.locale)
    yield from _arrive(app)
    series, episodes = yield from _choose(app, expected)
    yield from _watch_free(app, episodes[0])
    wall = yield from _meet_the_wall(app, series, expected)
    offer = yield from _be_refused(app, wall, expected)
    yield from _buy(app, FakeStoreSdk(transport), offer)
    yield from _unlock(app, series, offer, expected)
    yield from _read_statement(app, offer, expected)
    yield from _try_a_stolen_quote(app, ViewerClient(transport), series)


def _arrive(app: ViewerClient) -> Walk:
    guest = app.guest()
    yield Step("guest", f"viewer {guest.viewer_id} holds tokens")
    renewed = app.refresh()
    fact("a used refresh token is replaced", guest.refresh_token != renewed.refresh_token, True)
    fact("the viewer stays the same", app.me().viewer_id, guest.viewer_id)
    yield Step("tokens renewed", "the same viewer, a new refresh token")


def _choose(
    app: ViewerClient, expected: Expected
) -> Generator[Step, None, tuple[Series, list[Episode]]]:
    listed = app.series()
    yield Step("series listed", f"{len(listed)} series, newest: {listed[0].title}")
    found = app.series(text=expected.search_text, locale=expected.locale)
    titles = [series.title for series in found]
    fact(f"the first match for {expected.search_text}", titles[:1], [expected.title])
    fact("the match is listed too", found[0].id in {series.id for series in listed}, True)
    yield Step(f"search {expected.search_text}", f"found {titles[0]} ({expected.locale})")

    series = app.one_series(found[0].id, locale=expected.locale)
    fact("the series itself", (series.id, series.title), (found[0].id, expected.title))
    poster = app.fetch(series.poster_url or "")
    fact("the poster is a JPEG", (poster.mime, poster.content[:3]), ("image/jpeg", b"\xff\xd8\xff"))
    yield Step("series detail", f"{series.genre}, poster of {poster.size_bytes // 1024} KiB")

    episodes = app.episodes(series.id)
    numbers = [episode.number for episode in episodes]
    fact("the episodes", numbers, list(range(1, len(expected.prices_coins) + 1)))
    before = app.revalidated
    fact("the episodes read again", app.episodes(series.id), episodes)
    fact("answers with 304 Not Modified", app.revalidated - before, 1)
    yield Step("episodes", f"{len(episodes)} episodes; read again: 304 by ETag")
    return series, episodes


def _watch_free(app: ViewerClient, episode: Episode) -> Walk:
    seen = _watch(app, episode.id)
    yield Step("free episode", f"episode {episode.number} plays: {seen}")


def _watch(app: ViewerClient, episode_id: str) -> str:
    """Fetch an episode as a player does: its head, a part from the middle, all of it."""
    playback = app.play(episode_id).playback
    head = app.fetch(playback.url, first=0, last=RANGE_BYTES - 1)
    _fact_of_video("the head", head)
    fact("an mp4 starts with", head.content[4:8], b"ftyp")
    middle = head.size_bytes // 2
    part = app.fetch(playback.url, first=middle, last=middle + RANGE_BYTES - 1)
    _fact_of_video("the middle", part)
    whole = app.fetch(playback.url)
    fact("the whole file's status", whole.status, 200)
    fact("its size", len(whole.content), head.size_bytes)
    fact("its head", whole.content[:RANGE_BYTES], head.content)
    fact("its middle", whole.content[middle : middle + RANGE_BYTES], part.content)
    return f"mp4, {playback.duration_ms / 1000:.0f} s, {whole.size_bytes // 1024} KiB, by ranges"


def _fact_of_video(what: str, part: Bytes) -> None:
    fact(
        f"{what} of the video",
        (part.status, part.mime, len(part.content)),
        (206, "video/mp4", RANGE_BYTES),
    )


def _meet_the_wall(
    app: ViewerClient, series: Series, expected: Expected
) -> Generator[Step, None, Paywall]:
    wall = app.paywall(series.id)
    prices = tuple(episode.price_coins for episode in wall.episodes)
    fact("the prices", prices, expected.prices_coins)
    fact("free episodes", len(wall.in_state("free")), expected.free_count)
    locked = wall.in_state("locked")
    fact("locked episodes", len(locked), len(prices) - expected.free_count)
    fact("the next locked episode", wall.next_locked_episode_id, locked[0].episode_id)
    refused(
        "playing a locked episode",
        lambda: app.play(locked[0].episode_id),
        status=402,
        code="episode_locked",
    )
    yield Step(
        "paywall",
        f"{expected.free_count} free, {len(locked)} locked at {expected.first_price_coins} coins",
    )
    return wall


def _be_refused(
    app: ViewerClient, wall: Paywall, expected: Expected
) -> Generator[Step, None, Offer]:
    refusal = refused(
        "unlocking without coins",
        lambda: app.unlock(_next_locked(wall), quote=wall.quote, key=new_key()),
        status=402,
        code="insufficient_coins",
    )
    price = expected.first_price_coins
    told = {name: refusal.members[name] for name in ("price_coins", "shortfall_coins")}
    fact("what is missing", told, {"price_coins": price, "shortfall_coins": price})
    offered = {row["pack_id"] for row in refusal.members["offers"]}
    offers = [offer for offer in app.offers() if offer.pack_id in offered]
    fact("every offer closes the gap", all(offer.coins >= price for offer in offers), True)
    fact("offers", len(offers), len(offered))
    yield Step("unlock refused", f"402, {price} coins missing, {len(offers)} offers would help")
    # One that brings a bonus shows in which order coins are spent.
    return next((offer for offer in offers if offer.bonus_coins), offers[0])


def _buy(app: ViewerClient, store: FakeStoreSdk, offer: Offer) -> Walk:
    intent = app.intent(offer.pack_id)
    fact("the intent's offer", intent.offer, offer)
    yield Step("purchase intent", f"{offer.title} for {offer.price}")
    transaction = store.buy(intent)
    first = app.submit(transaction)
    _fact_of_purchase(first, offer, status=201)
    fact("the wallet", app.wallet().balance.coins, offer.coins)
    yield Step("purchase", f"201, {offer.paid_coins} paid + {offer.bonus_coins} bonus coins")
    again = app.submit(transaction)
    _fact_of_purchase(again, offer, status=200)
    fact("one purchase", again.answer.purchase_id, first.answer.purchase_id)
    fact("the wallet", app.wallet().balance.coins, offer.coins)
    yield Step("submitted again", "200, nothing more credited")


def _fact_of_purchase(made: Submission, offer: Offer, *, status: int) -> None:
    answer = made.answer
    fact("the submission's status", made.status, status)
    fact("credited by this request", answer.credited_now, status == 201)
    fact(
        "the purchase",
        (answer.pack_code, answer.paid_coins, answer.bonus_coins, answer.price),
        (offer.code, offer.paid_coins, offer.bonus_coins, offer.price),
    )


def _unlock(app: ViewerClient, series: Series, offer: Offer, expected: Expected) -> Walk:
    wall = app.paywall(series.id)
    episode_id, price = _next_locked(wall), expected.first_price_coins
    key = new_key()
    first = app.unlock(episode_id, quote=wall.quote, key=key)
    bonus = min(price, offer.bonus_coins)
    fact("the unlock", (first.answer.outcome, first.is_replay), ("unlocked", False))
    spent = (first.answer.price_coins, first.answer.bonus_coins, first.answer.paid_coins)
    fact("price, bonus and paid coins spent", spent, (price, bonus, price - bonus))
    fact("the balance", first.answer.balance.coins, offer.coins - price)
    yield Step("unlock", f"{price} coins: {bonus} bonus, then {price - bonus} paid")

    again = app.unlock(episode_id, quote=wall.quote, key=key)
    fact("the same request again", (again.is_replay, again.answer), (True, first.answer))
    fact("the wallet", app.wallet().balance.coins, offer.coins - price)
    yield Step("unlock retried", f"replayed, the balance stays {offer.coins - price}")

    owned = [episode.episode_id for episode in app.paywall(series.id).in_state("owned")]
    fact("owned episodes", owned, [episode_id])
    yield Step("unlocked episode", f"plays: {_watch(app, episode_id)}")


def _read_statement(app: ViewerClient, offer: Offer, expected: Expected) -> Walk:
    number, price = _first_locked_number(expected), expected.first_price_coins
    entries = list(reversed(app.statement()))
    fact(
        "the statement",
        [(e.code, e.coins, e.pack_code, e.episode_number) for e in entries],
        [("purchase", offer.coins, offer.code, None), ("unlock", -price, None, number)],
    )
    balance = app.wallet().balance
    fact("the sum of all paid coins", _carried(entries, "paid"), balance.paid_coins)
    fact("the sum of all bonus coins", _carried(entries, "bonus"), balance.bonus_coins)
    terms = " ".join(f"{entry.coins:+d} {entry.code}" for entry in entries)
    yield Step("statement", f"{terms} = {balance.coins} coins")


def _first_locked_number(expected: Expected) -> int:
    return next(number for number, price in enumerate(expected.prices_coins, 1) if price)


def _carried(entries: list[Movement], kind: str) -> int:
    """The sum of one kind's movements, each of which must say what it left."""
    balance = 0
    for entry in entries:
        balance += getattr(entry, f"{kind}_coins")
        left = getattr(entry, f"{kind}_balance_after")
        fact(f"{kind} coins after {entry.code}", left, None if left is None else balance)
    return balance


def _try_a_stolen_quote(app: ViewerClient, other: ViewerClient, series: Series) -> Walk:
    other.guest()
    stolen = other.paywall(series.id).quote
    before = app.wallet()
    refused(
        "another viewer's quote",
        lambda: app.unlock(_next_locked(app.paywall(series.id)), quote=stolen, key=new_key()),
        status=409,
        code="quote_invalid",
    )
    fact("the wallet", app.wallet(), before)
    yield Step("another's quote", "409 quote_invalid, nothing moved")


def _next_locked(wall: Paywall) -> str:
    if wall.next_locked_episode_id is None:
        raise WrongFact("nothing of the series is locked")
    return wall.next_locked_episode_id
