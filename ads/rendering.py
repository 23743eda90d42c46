"""Domain values as the API answers them, and what it is told as the domain takes it."""

from datetime import UTC, datetime

from ads import goals
from ads.models import AdSession, Network, PlacementReward, Verdict
from ads.revenue.impressions import Told
from ads.sessions import OnOffer, Opened
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
    earned = getattr(value, "earned", None)
    progress = goals.of_session(value)
    granted = earned.goal if earned and earned.place == earned.goal.ads_needed else None
    return SessionAnswer(
        ad_session_id=value.id,
        state=value.state_at(at),
        placement=value.placement.code,
        series_id=value.series_id,
        episode_id=value.episode_id,
        reward=PlacementReward(progress.terms.reward),
        reward_amount=progress.terms.reward_amount,
        watched=progress.watched or 0,
        needed=progress.terms.ads_needed,
        opened_at=value.opened_at,
        expires_at=value.expires_at,
        rewarded_at=value.rewarded_at,
        entitlement_id=earned.entitlement_id if earned else None,
        opened_episode_ids=goals.opened_by(value),
        access_ends_at=granted.access_ends_at if granted else None,
        transfer_id=granted.transfer_id if granted else None,
        refusal=Verdict(value.refusal) if value.refusal else None,
    )


def placement(value: OnOffer) -> PlacementAnswer:
    shown, terms = value.placement, value.progress.terms
    return PlacementAnswer(
        placement=shown.code,
        title=shown.title,
        network=Network(shown.network),
        ad_unit_id=shown.ad_unit_id,
        reward=PlacementReward(terms.reward),
        reward_amount=terms.reward_amount,
        coins_expire_after_days=terms.coins_expire_after_days,
        watched=value.progress.watched,
        needed=terms.ads_needed,
        daily_cap=shown.daily_cap,
        remaining_today=value.standing.remaining_today,
        cooldown_seconds=shown.cooldown_seconds,
        available_at=value.standing.available_at,
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
