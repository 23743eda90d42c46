"""What a viewer in front of a locked episode is shown: decided once, logged with its chance, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from payments.access import offer_policies, paywall
from payments.access.offer_policies import Choice, Circumstances
from payments.access.paywall import Listed, Paywall, PaywallOption
from payments.models.offer_choices import DEFAULT, Means, TakenKind
from payments.store.offers import Offered

# Of two who ask at once, the first has decided: the other is answered what was decided then. The viewer is
# locked before the row is made, as it is for exposures; the foreign key would do so after it.
_DECIDE = """
    WITH viewer AS (SELECT id FROM viewers_viewer WHERE id = %(viewer)s FOR KEY SHARE)
    INSERT INTO payments_offerdecision AS kept
        (id, viewer_id, environment, series_id, episode_id, policy_id, rule_id, arm_id, is_holdout,
         shown, propensity_parts_per_billion, ad_propensity_parts_per_billion, encounter, decided_at)
    SELECT uuidv7(), viewer.id, %(environment)s, %(series)s, %(episode)s, %(policy)s, %(rule)s, %(arm)s,
           %(is_holdout)s, %(shown)s, %(propensity)s, %(ad_propensity)s, %(encounter)s, %(now)s
    FROM viewer
    ON CONFLICT (viewer_id, environment, series_id, episode_id)
    DO UPDATE SET decided_at = kept.decided_at
    RETURNING id, shown
"""
_TAKE = """
    INSERT INTO payments_offertaken (id, decision_id, kind, subject_id, taken_at)
    SELECT uuidv7(), decision.id, %(kind)s, %(subject)s, %(now)s
    FROM payments_offerdecision AS decision
    WHERE decision.id = %(decision)s AND decision.viewer_id = %(viewer)s
      AND decision.environment = %(environment)s
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Decided:
    """What was decided for a viewer and an episode; `shown` is in order."""

    id: UUID
    shown: tuple[Means, ...]


@dataclass(frozen=True)
class Shown:
    """A paywall's ways as they are answered. `primary` is None where there is none, `decision_id` where no
    policy decided."""

    decision_id: UUID | None
    primary: Means | None
    options: Sequence[PaywallOption]
    packs: Sequence[Offered]


def show(shown: Paywall) -> Shown:
    """The ways past a paywall as the policy in force has them for this viewer: in one statement if the
    episode is new to them, none otherwise.

    Where nothing is to be had of what was decided, such as an ad after the day's last, everything is shown:
    nobody stands before a wall without a door.
    """
    decided = decide(shown)
    if decided is not None:
        found = _of(shown, decided)
        if found.primary is not None:
            return found
    options = paywall.options(shown)
    packs = shown.helpful_packs()
    return Shown(
        decision_id=decided.id if decided else None,
        primary=_primary(DEFAULT, options, packs),
        options=options,
        packs=packs,
    )


def decide(shown: Paywall) -> Decided | None:
    """What the policy in force shows of this paywall; None without a policy, or with nothing locked."""
    found, episode = shown.offer_standing, shown.next_locked
    if found is None or episode is None:
        return None
    met = {UUID(one["episode"]): one for one in found["met"]}
    if (known := met.get(episode.id)) is not None:
        return Decided(UUID(known["id"]), tuple(Means(one) for one in known["shown"]))
    circumstances = Circumstances(
        payer=offer_policies.payer_of(found),
        has_enough_coins=shown.takes_coins and shown.shortfall_coins == 0,
        encounter=len(met) + 1,
        region=found["region"] or "",
        platform=found["platform"] or "",
        means=shown.means,
    )
    policy = offer_policies.definition(UUID(found["policy"]))
    choice = policy.choose(
        circumstances,
        viewer_id=shown.viewer_id,
        series_id=shown.series.id,
        episode_id=episode.id,
    )
    return _kept(choice, shown, episode, policy_id=policy.id, encounter=circumstances.encounter)


def take(
    decision_id: UUID | None,
    *,
    viewer_id: UUID,
    environment: str,
    kind: TakenKind,
    subject_id: UUID | None,
    now: datetime,
) -> None:
    """Keeps what an app says a decision led to; once, and only of the viewer's own decisions.

    In one statement if both ids are given, none otherwise. Nothing rests on it: an id that is not theirs is
    passed over.
    """
    if decision_id is None or subject_id is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "decision": decision_id,
                "viewer": viewer_id,
                "environment": environment,
                "kind": kind,
                "subject": subject_id,
                "now": now,
            },
        )


def _kept(
    choice: Choice, shown: Paywall, episode: Listed, *, policy_id: UUID, encounter: int
) -> Decided:
    with connection.cursor() as cursor:
        cursor.execute(
            _DECIDE,
            {
                "viewer": shown.viewer_id,
                "environment": shown.environment,
                "series": shown.series.id,
                "episode": episode.id,
                "policy": policy_id,
                "rule": choice.rule.id if choice.rule else None,
                "arm": choice.arm.id if choice.arm else None,
                "is_holdout": choice.is_holdout,
                "shown": [str(one) for one in choice.shown],
                "propensity": choice.propensity,
                "ad_propensity": choice.ad_propensity,
                "encounter": encounter,
                "now": shown.now,
            },
        )
        decision_id, kept = cursor.fetchone()
    return Decided(decision_id, tuple(Means(one) for one in kept))


def _of(shown: Paywall, decided: Decided) -> Shown:
    options = paywall.options(shown, only=decided.shown)
    packs = shown.helpful_packs() if Means.PACKS in decided.shown else []
    return Shown(
        decision_id=decided.id,
        primary=_primary(decided.shown, options, packs),
        options=options,
        packs=packs,
    )


def _primary(
    order: Sequence[Means], options: Sequence[PaywallOption], packs: Sequence[Offered]
) -> Means | None:
    """The first of them that can be used now; else the first that is there at all."""
    bought = {Means.PACKS} if packs else set()
    there = {option.means for option in options} | bought
    useful = {option.means for option in options if option.is_usable} | bought
    return next(
        (one for one in order if one in useful), next((one for one in order if one in there), None)
    )
