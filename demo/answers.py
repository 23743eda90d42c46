"""What the API answers, as far as this client reads it.

Members that are not named here are ignored, so that a newer service does not break an older app.
Ids are opaque strings.
"""

from datetime import datetime

import msgspec


class Tokens(msgspec.Struct, frozen=True):
    viewer_id: str
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str


class Me(msgspec.Struct, frozen=True):
    viewer_id: str


class Series(msgspec.Struct, frozen=True):
    id: str
    title: str
    synopsis: str
    locale: str
    genre: str
    poster_url: str | None
    episode_count: int


class Episode(msgspec.Struct, frozen=True):
    id: str
    number: int
    title: str
    duration_ms: int


class SeriesPage(msgspec.Struct, frozen=True):
    series: list[Series]
    next_cursor: str | None


class EpisodePage(msgspec.Struct, frozen=True):
    episodes: list[Episode]
    next_cursor: str | None


class FeedSlot(msgspec.Struct, frozen=True):
    slot: int
    series: Series
    propensity: float


class Feed(msgspec.Struct, frozen=True):
    decision_id: str
    slots: list[FeedSlot]
    has_more: bool


class Price(msgspec.Struct, frozen=True):
    amount_micros: int
    currency: str

    def __str__(self) -> str:
        return f"{self.amount_micros / 1_000_000:.2f} {self.currency}"


class Balance(msgspec.Struct, frozen=True):
    coins: int
    paid_coins: int
    bonus_coins: int


class Offer(msgspec.Struct, frozen=True):
    pack_id: str
    code: str
    title: str
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Price


class Offers(msgspec.Struct, frozen=True):
    offers: list[Offer]


class PaywallEpisode(msgspec.Struct, frozen=True):
    episode_id: str
    number: int
    state: str
    price_coins: int


class Option(msgspec.Struct, frozen=True):
    """A way past the paywall. What it has beside its kind depends on it."""

    kind: str
    placement: str = ""
    episode_id: str = ""
    available_at: datetime | None = None


class Paywall(msgspec.Struct, frozen=True):
    series_id: str
    quote: str
    quote_expires_at: datetime
    next_locked_episode_id: str | None
    balance: Balance
    episodes: list[PaywallEpisode]
    options: list[Option]
    offers: list[Offer]

    def in_state(self, state: str) -> list[PaywallEpisode]:
        """The episodes that are `free`, `owned` or `locked` for this viewer."""
        return [episode for episode in self.episodes if episode.state == state]

    def option(self, kind: str) -> Option | None:
        """The way past of that kind, if it is offered."""
        return next((option for option in self.options if option.kind == kind), None)


class Unlocked(msgspec.Struct, frozen=True):
    outcome: str
    episode_id: str
    entitlement_id: str | None
    price_coins: int
    paid_coins: int
    bonus_coins: int
    balance: Balance


class Playback(msgspec.Struct, frozen=True):
    playback_session_id: str
    episode_id: str
    number: int
    version_id: str
    url: str
    expires_at: datetime
    mime: str
    duration_ms: int


class Playing(msgspec.Struct, frozen=True):
    playback: Playback
    next: list[Playback]


class PassOffer(msgspec.Struct, frozen=True):
    """A pass. One that `is_renewing` is a subscription in the stores that have them."""

    pass_id: str
    code: str
    title: str
    period: str
    period_months: int
    period_days: int
    is_renewing: bool
    price: Price
    store_products: dict[str, str]

    @property
    def days(self) -> int:
        """About how long it covers."""
        return self.period_days or 30 * self.period_months


class Passes(msgspec.Struct, frozen=True):
    passes: list[PassOffer]


class Intent(msgspec.Struct, frozen=True):
    """What was announced is one of `offer` and `pass_offer`."""

    intent_id: str
    store_product_id: str
    account_token: str
    offer: Offer | None = None
    pass_offer: PassOffer | None = None

    @property
    def price(self) -> Price:
        """Of what was announced."""
        announced = self.offer or self.pass_offer
        if announced is None:
            raise LookupError("an intent of nothing")
        return announced.price


class Sale(msgspec.Struct, frozen=True):
    transaction: str


class Subscription(msgspec.Struct, frozen=True):
    subscription_id: str
    provider: str
    pass_code: str
    state: str
    is_open: bool
    access_until: datetime | None
    renews_as: str | None


class Subscriptions(msgspec.Struct, frozen=True):
    subscriptions: list[Subscription]


class Purchase(msgspec.Struct, frozen=True):
    purchase_id: str | None
    transaction_id: str
    pack_code: str | None
    coins: int
    paid_coins: int
    bonus_coins: int
    price: Price | None
    credited_now: bool
    subscription: Subscription | None = None


class Submitted(msgspec.Struct, frozen=True):
    """A transaction that waits until its store can be asked, or what came of it."""

    id: str
    state: str
    reason: str
    purchase: Purchase | None


class Restored(msgspec.Struct, frozen=True):
    outcome: str
    can_transfer: bool
    detail: str
    purchase: Purchase | None


class RestoredAll(msgspec.Struct, frozen=True):
    restored: list[Restored]


class Checkout(msgspec.Struct, frozen=True):
    session_id: str
    url: str


class Portal(msgspec.Struct, frozen=True):
    url: str


class Wallet(msgspec.Struct, frozen=True):
    environment: str
    balance: Balance


class Movement(msgspec.Struct, frozen=True):
    code: str
    at: datetime
    coins: int
    paid_coins: int
    bonus_coins: int
    paid_balance_after: int | None
    bonus_balance_after: int | None
    episode_id: str | None = None
    episode_number: int | None = None
    purchase_id: str | None = None
    pack_code: str | None = None


class Statement(msgspec.Struct, frozen=True):
    entries: list[Movement]
    next_cursor: str | None


class AdSession(msgspec.Struct, frozen=True):
    ad_session_id: str
    network: str
    ad_unit_id: str
    custom_data: str
    user_id: str


class AdState(msgspec.Struct, frozen=True):
    ad_session_id: str
    state: str
    placement: str
    episode_id: str


class ToldImpression(msgspec.Struct, frozen=True):
    impression_id: str
    verdict: str


class ToldImpressions(msgspec.Struct, frozen=True):
    verdicts: list[ToldImpression]


class AdView(msgspec.Struct, frozen=True):
    callback: str


class Verdict(msgspec.Struct, frozen=True):
    event_id: str | None
    verdict: str
    code: str = ""


class Reported(msgspec.Struct, frozen=True):
    batch_id: str
    accepted: int
    quarantined: int
    verdicts: list[Verdict]


class Position(msgspec.Struct, frozen=True):
    series_id: str
    episode_id: str
    episode_number: int
    position_ms: int


class History(msgspec.Struct, frozen=True):
    history: list[Position]
    next_cursor: str | None


class FavoriteSeries(msgspec.Struct, frozen=True):
    series: Series


class Favorites(msgspec.Struct, frozen=True):
    favorites: list[FavoriteSeries]
    next_cursor: str | None


class EpisodePushed(msgspec.Struct, frozen=True):
    external_id: str
    episode_id: str


class SeriesPushed(msgspec.Struct, frozen=True):
    series_id: str
    state: str
    created: bool
    unchanged: bool
    episodes: list[EpisodePushed]
