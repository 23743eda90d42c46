"""The intervals of a ranking hold the truth as often as they say, on titles made from known laws."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from analytics.ranking import posterior
from analytics.ranking.posterior import Counts
from tests.proof import Proof

TITLES = 200
CATALOGS = 60
A, B = 3.0, 40.0
C, MEAN_MICROS = 5.0, 2_000_000
SIGMA = 0.8
CAP_MICROS = 12_000_000
ADS_C, ADS_MEAN = 6.0, 30_000
ADS_SHOWN = 0.3


@dataclass(frozen=True)
class Title:
    truth: float
    counts: Counts


def _capped_mean(mean: float) -> float:
    """E[min(R, cap)] of a log-normal R with that mean."""
    location = np.log(mean) - SIGMA**2 / 2
    z = (np.log(CAP_MICROS) - location) / SIGMA
    return float(mean * stats.norm.cdf(z - SIGMA) + CAP_MICROS * (1 - stats.norm.cdf(z)))


def _title(source: np.random.Generator) -> Title:
    starts = int(source.choice([5, 30, 100, 400, 1500]))
    rate = source.beta(A, B)
    mean = MEAN_MICROS * (C - 1) / source.gamma(C)
    ads_mean = ADS_MEAN * (ADS_C - 1) / source.gamma(ADS_C)
    converters = int(source.binomial(starts, rate))
    amounts = np.minimum(
        source.lognormal(np.log(mean) - SIGMA**2 / 2, SIGMA, converters), CAP_MICROS
    ).astype(np.int64)
    ads = (
        source.binomial(1, ADS_SHOWN, starts) * source.exponential(ads_mean / ADS_SHOWN, starts)
    ).astype(np.int64)
    counts = Counts(
        starts=starts,
        converters=converters,
        value=sum(map(int, amounts)),
        value_squares=sum(int(amount) ** 2 for amount in amounts),
        ads=sum(map(int, ads)),
        ads_squares=sum(int(amount) ** 2 for amount in ads),
    )
    return Title(truth=rate * _capped_mean(mean) + ads_mean, counts=counts)


def test_intervals_cover_the_truth_and_means_beat_raw_means(proof: Proof) -> None:
    source = np.random.default_rng(proof.seed)
    covered: dict[int, list[bool]] = {}
    shrunk, raw, bias = [], [], []

    for _ in range(proof.rounds(full=CATALOGS)):
        titles = [_title(source) for _ in range(TITLES)]
        prior_of = posterior.priors([title.counts for title in titles])
        for title in titles:
            draws = posterior.draw(
                title.counts, prior_of(title.counts), seed=int(source.integers(2**63))
            )
            low, high = np.quantile(draws, [0.025, 0.975])
            covered.setdefault(title.counts.starts, []).append(bool(low <= title.truth <= high))
            mean = (title.counts.value + title.counts.ads) / title.counts.starts
            shrunk.append((draws.mean() - title.truth) ** 2)
            raw.append((mean - title.truth) ** 2)
            bias.append((draws.mean() - title.truth) / title.truth)

    flat = [held for held_of in covered.values() for held in held_of]
    coverage = float(np.mean(flat))
    # Three standard errors on either side, for a twentieth of the catalogs tells less.
    slack = 3 * np.sqrt(0.05 * 0.95 / len(flat))
    assert 0.93 - slack <= coverage <= 0.97 + slack, coverage
    for starts, held in covered.items():
        slack = 3 * np.sqrt(0.05 * 0.95 / len(held))
        assert 0.91 - slack <= np.mean(held) <= 0.98 + slack, (starts, np.mean(held))
    assert np.sqrt(np.mean(shrunk)) < np.sqrt(np.mean(raw))
    proof.record("S2", f"coverage of 95 % intervals over {TITLES} titles", violations=0)


def test_a_title_without_starts_is_its_prior() -> None:
    source = np.random.default_rng(1)
    titles = [_title(source).counts for _ in range(TITLES)]
    prior = posterior.priors(titles)(Counts())

    mean = posterior.draw(Counts(), prior, seed=1).mean()

    expected = A / (A + B) * MEAN_MICROS + ADS_MEAN
    assert mean == pytest.approx(expected, rel=0.25)


def test_much_evidence_outweighs_the_prior() -> None:
    plain = Counts(
        starts=100_000, converters=10_000, value=10_000 * 10**6, value_squares=2 * 10_000 * 10**12
    )
    prior = posterior.priors([plain])(plain)

    draws = posterior.draw(plain, prior, seed=1)

    assert draws.mean() == pytest.approx(0.1 * 10**6, rel=0.01)


def test_the_posterior_mean_tends_to_the_sample_mean_whatever_the_amounts_shape() -> None:
    amounts = [1_000] * 9_900 + [1_000_000] * 100
    plain = Counts(
        starts=10_000,
        converters=10_000,
        value=sum(amounts),
        value_squares=sum(amount**2 for amount in amounts),
    )

    draws = posterior.draw(plain, posterior.priors([plain])(plain), seed=1)

    assert draws.mean() == pytest.approx(sum(amounts) / 10_000, rel=0.02)


def test_a_prior_is_learned_from_the_nearest_titles_that_are_enough() -> None:
    def title(genre: str, locale: str, converters: int) -> Counts:
        value, squares = converters * 10**6, converters * 10**12
        return Counts(
            genre=genre,
            locale=locale,
            starts=100,
            converters=converters,
            value=value,
            value_squares=squares,
        )

    cell = [title("revenge", "en", n % 5) for n in range(20)]
    genre = [title("romance", f"l{n}", 9) for n in range(20)]
    few = [title("comedy", "en", 50)]
    prior_of = posterior.priors([*cell, *genre, *few])

    assert prior_of(cell[0]).level == "revenge × en"
    assert prior_of(genre[0]).level == "romance"
    assert prior_of(few[0]).level == "all titles"
    assert posterior.priors(few)(few[0]).level == "weak"


def test_the_weak_prior_weighs_as_much_as_it_says() -> None:
    few = [Counts(starts=980, converters=97, value=97 * 10**6, value_squares=97 * 10**12)]

    prior = posterior.priors(few)(few[0])

    assert prior.starts == pytest.approx(posterior.WEAK_STARTS)
    assert prior.a / prior.starts == pytest.approx(0.098)
    assert prior.amount.d / (prior.amount.c - 1) == pytest.approx(10**6)
    assert prior.ads is None


def test_the_same_seed_draws_the_same() -> None:
    counts = Counts(starts=10, converters=1, value=10, value_squares=100)
    prior = posterior.priors([])(counts)

    one, same, other = (posterior.draw(counts, prior, seed=seed) for seed in (7, 7, 8))

    assert (one == same).all()
    assert not (one == other).any()


def test_more_starts_narrow_the_interval() -> None:
    widths = []
    for starts in (50, 500, 5000):
        counts = Counts(starts=starts, converters=starts // 10, value=starts * 10**5)
        prior = posterior.priors([])(counts)
        low, high = np.quantile(posterior.draw(counts, prior, seed=3), [0.025, 0.975])
        widths.append(high - low)

    assert all(wider > narrower for wider, narrower in pairwise(widths))


def test_a_prior_is_worth_no_more_than_what_taught_it() -> None:
    alike = [
        Counts(starts=50, converters=5, value=5_000_000, value_squares=5 * 10**12)
        for _ in range(25)
    ]

    prior = posterior.priors(alike)(alike[0])

    assert prior.starts <= 25 * 50
    assert prior.amount.c - 1 <= prior.amount.shape * 25 * 5
