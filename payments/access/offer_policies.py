"""The policy by which viewers are shown ways past the paywall: by computation alone, from what is known.

Nothing of a policy that is in force changes any more, so it is read once. Whom it holds out is drawn by a
hash of the viewer that all versions share; among a rule's arms, by one of the viewer and the episode that
they stand before. So whoever asks again is answered the same, and the chance of each answer is exact.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, QuerySet, Subquery
from django.db.models.functions import JSONObject

from payments.models import OfferDecision, OfferPolicy, PassPurchase, Purchase
from payments.models.offer_choices import BILLION, DEFAULT, Means, Payer, PolicyState
from viewers.experiments import hashing
from viewers.models import Device, Viewer
from viewers.models.experiments import WHOLE

#: What the holdout is drawn with, whichever version is in force.
HOLDOUT_SALT = "offer-holdout"
HOLDOUT = "holdout"

_PER_PERCENT = WHOLE // 100
#: A share of WHOLE, times a percentage, in parts per billion.
_PER_SHARE_AND_PERCENT = BILLION // WHOLE // 100


@dataclass(frozen=True)
class Circumstances:
    """A viewer in front of a locked episode, as rules see them. `encounter` counts from 1 in the title;
    `means` are those by which the title can be opened."""

    payer: Payer
    has_enough_coins: bool
    encounter: int
    region: str
    platform: str
    means: tuple[Means, ...] = DEFAULT


@dataclass(frozen=True)
class ArmDefinition:
    """What is shown, in order, and the arm's share of WHOLE among its rule's."""

    id: UUID
    code: str
    shown: tuple[Means, ...]
    share: int


@dataclass(frozen=True)
class RuleDefinition:
    """For whom, and the arms in which they may be. What is empty or None fits everybody."""

    id: UUID
    name: str
    payers: frozenset[str]
    has_enough_coins: bool | None
    encounters_from: int | None
    encounters_to: int | None
    regions: frozenset[str]
    platforms: frozenset[str]
    arms: tuple[ArmDefinition, ...]

    def fits(self, met: Circumstances) -> bool:
        """Whether the rule is for a viewer like this."""
        return (
            (not self.payers or met.payer in self.payers)
            and self.has_enough_coins in (None, met.has_enough_coins)
            and met.encounter >= (self.encounters_from or 1)
            and (self.encounters_to is None or met.encounter <= self.encounters_to)
            and (not self.regions or met.region in self.regions)
            and (not self.platforms or met.platform in self.platforms)
        )


@dataclass(frozen=True)
class Choice:
    """What one viewer is shown at one episode, and with what chance, in parts per billion.

    `ad_propensity` is the chance of all answers that have the ad among them. `arm` is None for the holdout
    and where no rule fits.
    """

    rule: RuleDefinition | None
    arm: ArmDefinition | None
    is_holdout: bool
    shown: tuple[Means, ...]
    propensity: int
    ad_propensity: int


@dataclass(frozen=True)
class PolicyDefinition:
    """A policy with its rules in order."""

    id: UUID
    salt: str
    holdout_percent: int
    rules: tuple[RuleDefinition, ...]

    def rule_for(self, met: Circumstances) -> RuleDefinition | None:
        """The first rule that fits and has an answer."""
        return next((rule for rule in self.rules if rule.arms and rule.fits(met)), None)

    def holds_out(self, viewer_id: UUID) -> bool:
        """Whether the viewer is shown the default whatever the rules say."""
        return hashing.part_of(HOLDOUT_SALT, viewer_id) < self.holdout_percent * _PER_PERCENT

    def choices(
        self, rule: RuleDefinition | None, means: Sequence[Means] = DEFAULT
    ) -> Iterator[Choice]:
        """Everything that somebody whom this rule fits may be shown, with its chance: the sum is BILLION.

        Of what is chosen only that which is among the title's `means` is shown: all of those where that is
        nothing. So what is logged is what could be seen, and chances of the ad are none where there is none.
        """
        whole = _among(DEFAULT, means)
        held_out = self.holdout_percent * _PER_PERCENT * 100 * _PER_SHARE_AND_PERCENT
        if rule is None:
            of_ad = BILLION if Means.AD in whole else 0
            yield Choice(None, None, True, whole, held_out, of_ad)
            yield Choice(None, None, False, whole, BILLION - held_out, of_ad)
            return
        per_share = (100 - self.holdout_percent) * _PER_SHARE_AND_PERCENT
        answers: list[tuple[ArmDefinition | None, tuple[Means, ...], int]] = [
            (None, whole, held_out),
            *((arm, _among(arm.shown, means) or whole, arm.share * per_share) for arm in rule.arms),
        ]
        of_ad = sum(chance for _, shown, chance in answers if Means.AD in shown)
        for arm, shown, chance in answers:
            yield Choice(rule, arm, arm is None, shown, chance, of_ad)

    def choose(
        self, met: Circumstances, *, viewer_id: UUID, series_id: UUID, episode_id: UUID
    ) -> Choice:
        """What the viewer is shown at an episode: the same whenever the circumstances are."""
        rule = self.rule_for(met)
        held_out, *others = self.choices(rule, met.means)
        if self.holds_out(viewer_id):
            return held_out
        if rule is None:
            return others[0]
        salt = f"{self.salt}:{series_id}:{episode_id}"
        place = hashing.chosen(salt, viewer_id, (arm.share for arm in rule.arms))
        assert place is not None  # noqa: S101  the shares are all of WHOLE
        return others[place]


@lru_cache(maxsize=64)
def definition(policy_id: UUID) -> PolicyDefinition:
    """A policy that is no draft any more, read once in a process."""
    return read(policy_id)


def read(policy_id: UUID) -> PolicyDefinition:
    """A policy as it stands now, a draft too, in three queries. Raises OfferPolicy.DoesNotExist."""
    row = OfferPolicy.objects.prefetch_related("rules__arms").get(id=policy_id)
    return PolicyDefinition(
        id=row.id,
        salt=row.salt,
        holdout_percent=row.holdout_percent,
        rules=tuple(_rule(rule) for rule in row.rules.all()),
    )


def shares(weights: Sequence[int]) -> Sequence[int]:
    """Weights as shares of WHOLE, in their order: together all of it, each at least one part."""
    total = sum(weights)
    ends = [0, *(end * WHOLE // total for end in accumulate(weights))]
    return [end - start for start, end in pairwise(ends)]


def standing(*, viewer_id: UUID, environment: str, series_id: UUID, device_id: UUID) -> Subquery:
    """What `offer_choices` has to know, as part of a query of the caller's: nothing without a policy in
    force; else the policy, what the viewer met in the series, and who they are."""
    whose: dict[str, Any] = {"viewer_id": viewer_id, "environment": environment}
    device = Device.objects.filter(id=device_id, viewer_id=viewer_id)
    in_force: QuerySet[Any, Any] = OfferPolicy.objects.filter(state=PolicyState.IN_FORCE).values(
        found=JSONObject(
            policy="id",
            met=ArraySubquery(
                OfferDecision.objects.filter(**whose, series_id=series_id).values(
                    one=JSONObject(id="id", episode="episode_id", shown="shown")
                )
            ),
            has_had_pass=Exists(PassPurchase.objects.filter(**whose)),
            has_bought_coins=Exists(Purchase.objects.filter(**whose)),
            region=Subquery(Viewer.objects.filter(id=viewer_id).values("region")),
            platform=Subquery(device.values("platform")),
        )
    )
    return Subquery(in_force)


def payer_of(found: Mapping[str, Any]) -> Payer:
    """What a viewer has bought, of what `standing` has found."""
    if found["has_had_pass"]:
        return Payer.SUBSCRIBER
    return Payer.PAYER if found["has_bought_coins"] else Payer.NEVER_PAID


def _among(shown: Sequence[Means], means: Sequence[Means]) -> tuple[Means, ...]:
    return tuple(one for one in shown if one in means)


def _rule(row: Any) -> RuleDefinition:
    arms = list(row.arms.all())
    return RuleDefinition(
        id=row.id,
        name=row.name,
        payers=frozenset(row.payers),
        has_enough_coins=row.has_enough_coins,
        encounters_from=row.encounters_from,
        encounters_to=row.encounters_to,
        regions=frozenset(row.regions),
        platforms=frozenset(row.platforms),
        arms=tuple(
            ArmDefinition(arm.id, arm.code, tuple(Means(one) for one in arm.shown), share)
            for arm, share in zip(arms, shares([arm.weight for arm in arms]), strict=True)
        )
        if arms
        else (),
    )
