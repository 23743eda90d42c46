"""What a place in the app shows a viewer: decided here, so that no app has to be released for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.problems import NotFound
from payments.access import segments
from payments.access.segments import Audience
from payments.models import PaywallPlacement, PlacementRule, Segment
from payments.models.placements import OFFERS
from payments.store import offers
from payments.store.offers import Offered


@dataclass(frozen=True)
class Decided:
    """What to show, and by which rule; None where no rule fits and the placement's own counts."""

    placement: PaywallPlacement
    segment: Segment
    rule: PlacementRule | None

    @property
    def config(self) -> Mapping[str, Any]:
        """What the app reads."""
        config: Mapping[str, Any] = (self.rule or self.placement).config
        return config


def decide(
    *,
    code: str,
    viewer_id: UUID,
    environment: str,
    now: datetime,
    device_id: UUID | None = None,
) -> Decided:
    """What a placement shows a viewer on one of their devices now, in three queries.

    Raises NotFound for a placement that does not exist or is switched off.
    """
    placement = (
        PaywallPlacement.objects.filter(code=code, is_active=True).prefetch_related("rules").first()
    )
    if placement is None:
        raise NotFound
    audience = segments.audience_of(
        viewer_id=viewer_id, environment=environment, device_id=device_id, at=now
    )
    fitting = (rule for rule in placement.rules.all() if fits(rule, audience, at=now))
    return Decided(placement=placement, segment=audience.segment, rule=next(fitting, None))


def offers_at(
    *,
    code: str,
    viewer_id: UUID,
    environment: str,
    now: datetime,
    device_id: UUID | None = None,
) -> Sequence[Offered]:
    """What a viewer can buy, as a placement shows it: what its `offers` name, in their order. A pack that is
    named is shown under the offer that takes its place, too.

    Everything on sale where they name nothing that this viewer can have, and at a placement that operators
    have not set up.
    """
    found = offers.on_sale(viewer_id=viewer_id, environment=environment, now=now)
    if not code or not PaywallPlacement.objects.filter(code=code, is_active=True).exists():
        return found
    decided = decide(
        code=code, viewer_id=viewer_id, environment=environment, now=now, device_id=device_id
    )
    named: list[str] = decided.config.get(OFFERS, [])
    return _named(named, found) or found


def _named(codes: Sequence[str], found: Sequence[Offered]) -> Sequence[Offered]:
    """Each of what was found once, where it is named first: by its pack's code or its offer's."""
    by_code = {offered.pack.code: offered for offered in found}
    by_code |= {offered.code: offered for offered in found}
    named = {by_code[code].pack.id: by_code[code] for code in codes if code in by_code}
    return list(named.values())


def fits(rule: PlacementRule, audience: Audience, *, at: datetime) -> bool:
    """Whether a rule is for these viewers at this moment. What it does not say fits everybody."""
    return (
        rule.is_active
        and (rule.starts_at is None or rule.starts_at <= at)
        and (rule.ends_at is None or at < rule.ends_at)
        and (not rule.segments or audience.segment in rule.segments)
        and (not rule.regions or audience.region in rule.regions)
        and (not rule.platforms or audience.platform in rule.platforms)
        and (rule.link_id is None or rule.link_id in audience.link_ids)
    )
