"""What a title is worth a start, as far as its starts and those of its like can tell.

Conversion is beta-binomial. The mean amount of a converter is inverse gamma under a quasi-gamma
likelihood: only mean and spread of the amounts matter, so the posterior mean tends to the sample
mean whatever their shape, which a log-normal model's would not. Ads earn per start in the same form,
without the hurdle. Priors are fitted to all titles alike; numpy and scipy, no Django.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
#: A prior is fitted to no fewer titles than these.
TITLES_MINIMUM = 20
#: What the prior counts for where there are fewer titles.
WEAK_STARTS, WEAK_CONVERTERS = 20, 2
#: What a converter is taken to be worth before anybody paid anything: one unit of the currency.
UNKNOWN_AMOUNT = 1_000_000.0

#: A prior is worth at least so many starts; and a tail of 1 is a shape of 2, so that the mean has a
#: variance. Neither is worth more than all that taught it: where the titles do not differ beyond
#: chance, the likelihood has no maximum, and every title would be believed to be the same for ever.
_STARTS_MINIMUM, _TAIL_MINIMUM = 2.0, 1.0
_SHAPES = (0.001, 100.0)
#: With fewer amounts beside another of their title, their spread is taken to be their mean.
_SPREAD_MINIMUM = 20

Draws = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Sums over the starts of one title whose window is complete; amounts in micros."""

    genre: str = ""
    locale: str = ""
    starts: int = 0
    converters: int = 0
    value: int = 0
    value_squares: int = 0
    ads: int = 0
    ads_squares: int = 0


@dataclass(frozen=True)
class Amounts:
    """Of a mean amount: inverse gamma with shape `c` and scale `d`, and the amounts' own shape."""

    c: float
    d: float
    shape: float


@dataclass(frozen=True)
class Prior:
    """What is believed of a title before its first start, and which titles taught it.

    `starts_seen` and `converters_seen` are theirs together.
    """

    a: float
    b: float
    amount: Amounts
    ads: Amounts | None
    level: str
    starts_seen: int
    converters_seen: int

    @property
    def starts(self) -> float:
        """How many starts it counts for."""
        return self.a + self.b


def priors(titles: Sequence[Counts]) -> Callable[[Counts], Prior]:
    """For each title the prior of its genre and locale, else of its genre, else of all.

    The first with TITLES_MINIMUM started titles; with fewer over all, a weak prior at pooled rates.
    """
    started = [title for title in titles if title.starts]
    fallback = _fitted(started, "all titles") if len(started) >= TITLES_MINIMUM else _weak(started)
    by_genre = _fitted_groups(started, lambda title: (title.genre,))
    by_cell = _fitted_groups(started, lambda title: (title.genre, title.locale))

    def prior_of(title: Counts) -> Prior:
        cell, genre = (title.genre, title.locale), (title.genre,)
        return by_cell.get(cell) or by_genre.get(genre) or fallback

    return prior_of


def draw(title: Counts, prior: Prior, *, seed: int) -> Draws:
    """DRAWS draws of the title's expected revenue per start, the same for the same seed."""
    source = np.random.default_rng(seed)
    conversion = source.beta(
        prior.a + title.converters, prior.b + title.starts - title.converters, DRAWS
    )
    worth = conversion * _draw_mean(source, prior.amount, title.converters, title.value)
    if prior.ads is not None:
        worth = worth + _draw_mean(source, prior.ads, title.starts, title.ads)
    return np.asarray(worth, dtype=np.float64)


def _draw_mean(source: np.random.Generator, prior: Amounts, count: int, total: int) -> Draws:
    scale = prior.d + prior.shape * total
    return scale / source.gamma(prior.c + prior.shape * count, 1.0, DRAWS)


def _fitted_groups(
    titles: Sequence[Counts], key: Callable[[Counts], tuple[str, ...]]
) -> Mapping[tuple[str, ...], Prior]:
    groups: dict[tuple[str, ...], list[Counts]] = {}
    for title in titles:
        groups.setdefault(key(title), []).append(title)
    return {
        name: _fitted(group, " × ".join(name))
        for name, group in groups.items()
        if len(group) >= TITLES_MINIMUM
    }


def _fitted(titles: Sequence[Counts], level: str) -> Prior:
    """By maximum marginal likelihood; of amounts only where enough titles have any."""
    weak = _weak(titles)
    a, b = _fit_beta(titles)
    paid = [(title.converters, title.value) for title in titles if title.converters]
    shown = [(title.starts, title.ads) for title in titles]
    return Prior(
        a=a,
        b=b,
        amount=_fit_amounts(paid, weak.amount) if len(paid) >= TITLES_MINIMUM else weak.amount,
        ads=weak.ads and _fit_amounts(shown, weak.ads),
        level=level,
        starts_seen=weak.starts_seen,
        converters_seen=weak.converters_seen,
    )


def _weak(titles: Sequence[Counts]) -> Prior:
    """Worth WEAK_STARTS starts and WEAK_CONVERTERS converters at the rates of all titles together."""
    starts = sum(title.starts for title in titles)
    converters = sum(title.converters for title in titles)
    rate = (converters + 1) / (starts + WEAK_STARTS)
    amount = sum(title.value for title in titles) / converters if converters else UNKNOWN_AMOUNT
    ads = sum(title.ads for title in titles) / starts if starts else 0.0
    of_amounts = _shape([(t.converters, t.value, t.value_squares) for t in titles])
    of_ads = _shape([(t.starts, t.ads, t.ads_squares) for t in titles])
    return Prior(
        a=rate * WEAK_STARTS,
        b=(1 - rate) * WEAK_STARTS,
        amount=_worth(WEAK_CONVERTERS, amount, of_amounts),
        ads=_worth(WEAK_STARTS, ads, of_ads) if ads else None,
        level="weak",
        starts_seen=starts,
        converters_seen=converters,
    )


def _worth(count: float, mean: float, shape: float) -> Amounts:
    """What `count` amounts of that mean would teach; the tail is never heavier than fitted ones'."""
    tail = max(shape * count, _TAIL_MINIMUM)
    return Amounts(c=1 + tail, d=tail * mean, shape=shape)


def _shape(sums: Sequence[tuple[int, int, int]]) -> float:
    """(mean ÷ standard deviation)² of amounts within their titles, pooled."""
    spread = degrees = 0.0
    for count, total, squares in sums:
        if count > 1 and total:
            spread += squares * count**2 / total**2 - count
            degrees += count - 1
    if degrees < _SPREAD_MINIMUM:
        return 1.0
    return float(np.clip(degrees / spread if spread > 0 else np.inf, *_SHAPES))


def _fit_beta(titles: Sequence[Counts]) -> tuple[float, float]:
    # Not at import, nor below: of the processes that load this module only the worker fits.
    from scipy import optimize, special

    starts = np.array([title.starts for title in titles], dtype=np.float64)
    converters = np.array([title.converters for title in titles], dtype=np.float64)

    def loss(at: NDArray[np.float64]) -> float:
        rate, worth = special.expit(at[0]), np.exp(at[1])
        a, b = rate * worth, (1 - rate) * worth
        likelihood = special.betaln(a + converters, b + starts - converters)
        return float(np.sum(special.betaln(a, b) - likelihood))

    pooled = (converters.sum() + 0.5) / (starts.sum() + 1)
    found = optimize.minimize(
        loss,
        x0=[special.logit(pooled), np.log(WEAK_STARTS)],
        bounds=[(-15.0, 15.0), _logs(_STARTS_MINIMUM, starts.sum())],
        method="L-BFGS-B",
    )
    rate, worth = float(special.expit(found.x[0])), float(np.exp(found.x[1]))
    return rate * worth, (1 - rate) * worth


def _logs(least: float, most: float) -> tuple[float, float]:
    return float(np.log(least)), float(np.log(max(least, most)))


def _fit_amounts(sums: Sequence[tuple[int, int]], weak: Amounts) -> Amounts:
    """In units of the pooled mean, so that the search is the same for any currency."""
    from scipy import optimize, special

    unit = weak.d / (weak.c - 1)
    counts = weak.shape * np.array([count for count, _ in sums], dtype=np.float64)
    totals = weak.shape * np.array([total for _, total in sums], dtype=np.float64) / unit

    def loss(at: NDArray[np.float64]) -> float:
        c = 1 + np.exp(at[1])
        d = np.exp(at[0] + at[1])
        likelihood = special.gammaln(c + counts) - (c + counts) * np.log(d + totals)
        return float(np.sum(special.gammaln(c) - c * np.log(d) - likelihood))

    found = optimize.minimize(
        loss,
        x0=[0.0, np.log(2.0)],
        bounds=[(-10.0, 10.0), _logs(_TAIL_MINIMUM, counts.sum())],
        method="L-BFGS-B",
    )
    mean, tail = float(np.exp(found.x[0])), float(np.exp(found.x[1]))
    return Amounts(c=1 + tail, d=mean * tail * unit, shape=weak.shape)
