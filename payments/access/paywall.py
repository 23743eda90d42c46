"""The access decision: what this viewer may watch of a series, and what would open the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from types import NoneType
from typing import Any, ClassVar, NamedTuple, Protocol, cast, get_args, get_type_hints
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from catalog.models import Episode, Series
from config.bodies import AnswerShape
from config.compiled_queries import CompiledQuery
from config.problems import NotFound
from payments.access import entitlements, equivalents, offer_policies
from payments.access.entitlements import Held
from payments.access.equivalents import CoinRate
from payments.ledger import wallets
from payments.models import EntitlementSource
from payments.models.offer_choices import DEFAULT, Means
from payments.money import Money
from payments.prices import exposing, pricing, quotes
from payments.prices.pricing import NO_DEVICE
from payments.prices.quotes import Quote
from payments.prices.terms import PriceLadder
from payments.store import offers
from payments.store.offers import Offered


class EpisodeState(StrEnum):
    """How an episode stands for a viewer."""

    FREE = "free"
    OWNED = "owned"
    COVERED = "covered"
    LOCKED = "locked"


class PaywallOption(AnswerShape, tag_field="kind"):
    """A way past the paywall. Each kind adds its own members, and says which means it is of."""

    means: ClassVar[Means] = Means.COINS

    @property
    def is_usable(self) -> bool:
        """Whether it may be taken now, with the coins that there are."""
        return True

    @classmethod
    def kinds(cls) -> Sequence[type["PaywallOption"]]:
        """What the sources named in settings may answer: the API's document lists each."""
        return [kind for kind, _ in _sources(tuple(settings.PAYWALL_OPTIONS))]


class CoinsOption(PaywallOption, tag="coins"):
    """Pay with coins. `shortfall_coins` is what is missing for the next locked episode, `equivalent` what
    its coins cost at most in money."""

    price_coins: int
    equivalent: Money | None
    balance_coins: int
    shortfall_coins: int

    @property
    def is_usable(self) -> bool:
        """See PaywallOption."""
        return not self.shortfall_coins


class Listed(NamedTuple):
    """A published episode of the series."""

    id: UUID
    number: int


@dataclass(frozen=True)
class Paywall:
    """A viewer in front of a series: every episode's state and price under one quote.

    `offer_standing` is what `offer_policies.standing` found; None where no policy decides.
    """

    viewer_id: UUID
    environment: str
    series: Series
    episodes: Sequence[Listed]
    owned: Mapping[UUID, Held]
    ladder: PriceLadder
    quote: Quote
    now: datetime
    offer_standing: Mapping[str, Any] | None = None

    def state_of(self, episode: Listed) -> EpisodeState:
        """What the viewer owns is owned even if it has become free since, or is covered too."""
        return self._states[episode.id]

    @cached_property
    def _states(self) -> Mapping[UUID, EpisodeState]:
        return {episode.id: self._state_of(episode) for episode in self.episodes}

    def _state_of(self, episode: Listed) -> EpisodeState:
        held = self.owned.get(episode.id)
        if held is not None and held.source != EntitlementSource.SUBSCRIPTION:
            return EpisodeState.OWNED
        if self.ladder.price_of(episode.number) == 0:
            return EpisodeState.FREE
        if held is not None or self.is_covered:
            return EpisodeState.COVERED
        return EpisodeState.LOCKED

    @property
    def takes_coins(self) -> bool:
        """Whether coins open this title's episodes."""
        return self.series.access_mode != Series.AccessMode.AD

    @property
    def takes_ads(self) -> bool:
        """Whether ads do."""
        return self.series.access_mode != Series.AccessMode.PAID

    @property
    def means(self) -> tuple[Means, ...]:
        """By what the title can be opened, in the default order."""
        refused = set[Means]()
        if not self.takes_coins:
            refused |= {Means.COINS, Means.PACKS}
        if not self.takes_ads:
            refused.add(Means.AD)
        return tuple(one for one in DEFAULT if one not in refused)

    def ends_at(self, episode: Listed) -> datetime | None:
        """When what the viewer owns for a time ends; None for what is not, or is theirs for good."""
        is_owned = self.state_of(episode) is EpisodeState.OWNED
        return self.owned[episode.id].ends_at if is_owned else None

    @cached_property
    def is_covered(self) -> bool:
        """Whether a subscription or pass opens every episode. Asked only if something is locked else."""
        return entitlements.is_covered(
            viewer_id=self.viewer_id, environment=self.environment, at=self.now
        )

    @cached_property
    def next_locked(self) -> Listed | None:
        """The first episode that the viewer cannot open yet."""
        locked = (e for e in self.episodes if self.state_of(e) is EpisodeState.LOCKED)
        return next(locked, None)

    @cached_property
    def balance(self) -> wallets.Balance:
        """The viewer's spendable coins."""
        return wallets.balance(viewer_id=self.viewer_id, environment=self.environment, at=self.now)

    @cached_property
    def shortfall_coins(self) -> int:
        """What is missing for the next locked episode, 0 if nothing is, or coins do not open it."""
        if self.next_locked is None or not self.takes_coins:
            return 0
        return max(self.ladder.price_of(self.next_locked.number) - self.balance.coins, 0)

    @cached_property
    def coin_rate(self) -> CoinRate | None:
        """What coins cost in money."""
        return equivalents.rate(self.on_sale)

    @cached_property
    def on_sale(self) -> Sequence[Offered]:
        """The packs that the viewer can buy now, with their offers on them."""
        return offers.on_sale(viewer_id=self.viewer_id, environment=self.environment, now=self.now)

    def money_for(self, coins: int) -> Money | None:
        """What coins cost in money, None where there are none or nothing is on sale."""
        return self.coin_rate.money_for(coins) if coins and self.coin_rate else None

    def equivalent_of(self, episode: Listed) -> Money | None:
        """The price of an episode in money, None where nothing is to pay or nothing is on sale."""
        return self.money_for(self.ladder.price_of(episode.number))

    def helpful_packs(self) -> Sequence[Offered]:
        """The packs to show: none while the coins suffice."""
        return offers.that_help(self.shortfall_coins, self.on_sale) if self.shortfall_coins else []


class OptionSource(Protocol):
    """A callable named in settings.PAYWALL_OPTIONS: its option for this paywall, or None.

    Its return annotation names the kind of option that it makes.
    """

    def __call__(self, paywall: Paywall) -> PaywallOption | None: ...


def show(
    *,
    viewer_id: UUID,
    environment: str,
    series_id: UUID,
    now: datetime,
    device_id: UUID | None = None,
) -> Paywall:
    """The paywall of a published series on one of the viewer's devices, under a fresh quote.

    It shows every price: whoever sees it meets the experiments by which one of them differs, but for
    episodes that are open to them anyway. Raises NotFound.
    """
    found = _SERIES.objects(
        series_id=series_id,
        viewer_id=viewer_id,
        environment=environment,
        device_id=device_id or NO_DEVICE,
    )
    if not found:
        raise NotFound
    (series,) = found
    price = pricing.price_for(viewer_id=viewer_id, device_id=device_id, series_id=series_id, at=now)
    episodes = [Listed(*row) for row in _EPISODES.rows(series_id=series_id)]
    owned = entitlements.live(
        viewer_id=viewer_id, environment=environment, series_id=series_id, at=now
    )
    exposing.expose(
        price,
        viewer_id=viewer_id,
        environment=environment,
        numbers=[episode.number for episode in episodes if episode.id not in owned],
        now=now,
    )
    return Paywall(
        viewer_id=viewer_id,
        environment=environment,
        series=series,
        episodes=episodes,
        owned=owned,
        ladder=price.ladder,
        quote=quotes.make(
            viewer_id=viewer_id,
            environment=environment,
            series_id=series_id,
            numbering=series.numbering,
            price=price,
            now=now,
        ),
        now=now,
        offer_standing=series.offer_standing,
    )


def options(paywall: Paywall, *, only: Sequence[Means] | None = None) -> Sequence[PaywallOption]:
    """What every source named in settings offers past this paywall, in that order.

    With `only`, what is of these means, in the order of these; no other source is asked.
    """
    sources = _sources(tuple(settings.PAYWALL_OPTIONS))
    if only is not None:
        asked = [(kind, source) for kind, source in sources if kind.means in only]
        sources = sorted(asked, key=lambda one: only.index(one[0].means))
    found = (source(paywall) for _, source in sources)
    return [option for option in found if option is not None]


def coins_option(paywall: Paywall) -> CoinsOption | None:
    """Coins, while anything is locked that they open."""
    if paywall.next_locked is None or not paywall.takes_coins:
        return None
    return CoinsOption(
        price_coins=paywall.ladder.price_of(paywall.next_locked.number),
        equivalent=paywall.equivalent_of(paywall.next_locked),
        balance_coins=paywall.balance.coins,
        shortfall_coins=paywall.shortfall_coins,
    )


@lru_cache(maxsize=4)
def _sources(paths: tuple[str, ...]) -> Sequence[tuple[type[PaywallOption], OptionSource]]:
    return [(_kind(source), source) for source in map(import_string, paths)]


def _kind(source: OptionSource) -> type[PaywallOption]:
    annotated = get_args(get_type_hints(source)["return"])
    (kind,) = (member for member in annotated if member is not NoneType)
    return cast(type[PaywallOption], kind)


def _published(
    *, series_id: UUID, viewer_id: UUID, environment: str, device_id: UUID
) -> QuerySet[Series]:
    found: QuerySet[Series] = Series.objects.filter(id=series_id, state=Series.State.PUBLISHED)
    return found.annotate(
        offer_standing=offer_policies.standing(
            viewer_id=viewer_id,
            environment=environment,
            series_id=series_id,
            device_id=device_id,
        )
    )


def _listed(*, series_id: UUID) -> QuerySet[Any, Any]:
    published = Episode.objects.filter(series_id=series_id, state=Episode.State.PUBLISHED)
    return published.order_by("number").values_list(*Listed._fields)


_SERIES = CompiledQuery(_published, series_id=UUID, viewer_id=UUID, environment=str, device_id=UUID)
_EPISODES = CompiledQuery(_listed, series_id=UUID)
