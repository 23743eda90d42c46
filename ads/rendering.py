"""Domain values as the API answers them, and what it is told as the domain takes it."""

from datetime import UTC, datetime

from ads.limits import Standing
from ads.models import AdSession, Network, PlacementReward, Verdict
from ads.revenue.impressions import Told
from ads.sessions import Opened
from ads.shapes import ImpressionShape, OpenSessionAnswer, PlacementAnswer, SessionAnswer


def opened(value: Opened) -> OpenSessionAnswer:
    return OpenSessionAnswer(
        ad_session_id=value.session_id,
        network=Network(value.placement.network),
        ad_unit_id=value.placement.ad_unit_id,
        custom_data=value.hand_over.custom_data,
        user_id=value.hand_over.user_id,
        expires_at=value.expires_at,
    )


def session(value: AdSession, *, at: datetime) -> SessionAnswer:
    reward = getattr(value, "reward", None)
    return SessionAnswer(
        ad_session_id=value.id,
        state=value.state_at(at),
        placement=value.placement.code,
        series_id=value.series_id,
        episode_id=value.episode_id,
        opened_at=value.opened_at,
        expires_at=value.expires_at,
        rewarded_at=value.rewarded_at,
        entitlement_id=reward.entitlement_id if reward else None,
        refusal=Verdict(value.refusal) if value.refusal else None,
    )


def placement(value: Standing) -> PlacementAnswer:
    shown = value.placement
    return PlacementAnswer(
        placement=shown.code,
        title=shown.title,
        network=Network(shown.network),
        ad_unit_id=shown.ad_unit_id,
        reward=PlacementReward(shown.reward),
        daily_cap=shown.daily_cap,
        remaining_today=value.remaining_today,
        cooldown_seconds=shown.cooldown_seconds,
        available_at=value.available_at,
    )


def told(shape: ImpressionShape) -> Told:
    return Told(
        impression_id=shape.impression_id,
        network=shape.network,
        ad_unit_id=shape.ad_unit_id,
        format=shape.format,
        revenue_micros=shape.revenue_micros,
        currency=shape.currency,
        precision=shape.precision,
        country=shape.country,
        occurred_at=shape.occurred_at.astimezone(UTC),
        placement=shape.placement,
        session_id=shape.ad_session_id,
    )
