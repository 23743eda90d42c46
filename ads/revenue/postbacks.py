"""Impressions as networks' servers tell of them: genuine, or refused."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from ads import adapters
from ads.callbacks import CallbackForged, CallbackMalformed
from ads.models import AdSession, Impression, ImpressionSource
from ads.networks.base import Fault, NetworkError
from ads.networks.impressions import ToldImpression
from ads.revenue import impressions
from ads.revenue.impressions import FURTHEST_AHEAD, OLDEST, ImpressionVerdict
from config.problems import Problem
from payments.store import exchange
from viewers.models import Environment, Viewer

_REFUSALS: Mapping[Fault, type[Problem]] = {
    Fault.MALFORMED: CallbackMalformed,
    Fault.FORGED: CallbackForged,
}


def receive(
    *, network: str, address_secret: str, query_string: str, now: datetime
) -> ImpressionVerdict:
    """Keeps the impression that a network's server tells of; safe to repeat.

    It has the session that the viewer had open then for that ad unit; a network names none. Raises
    NetworkUnknown, CallbackMalformed, CallbackForged.
    """
    adapter = adapters.impressions_at(network, address_secret)
    try:
        told = adapter.read(query_string)
    except NetworkError as error:
        raise _REFUSALS[error.fault](error.reason) from error
    if Impression.objects.filter(
        network=network, impression_id=told.impression_id, source=ImpressionSource.POSTBACK
    ).exists():
        return ImpressionVerdict.REPEATED
    if not now - OLDEST <= told.occurred_at <= now + FURTHEST_AHEAD:
        return ImpressionVerdict.BAD_MOMENT
    try:
        row = _row(told, network=network, now=now)
    except exchange.RateMissing:
        return ImpressionVerdict.NO_RATE
    if not impressions.is_plausible(row.revenue_micros):
        return ImpressionVerdict.IMPLAUSIBLE
    impressions.keep([row])
    return ImpressionVerdict.UNATTRIBUTED if row.viewer_id is None else ImpressionVerdict.KEPT


def _row(told: ToldImpression, *, network: str, now: datetime) -> Impression:
    revenue_micros, rate = impressions.worth(
        told.revenue_micros, told.currency, at=told.occurred_at
    )
    viewer = _viewer(told.user_id)
    session = _session(told, network, viewer) if viewer else None
    return Impression(
        source=ImpressionSource.POSTBACK,
        impression_id=told.impression_id,
        network=network,
        environment=_environment(viewer, session),
        viewer=viewer,
        session=session,
        placement_id=session.placement_id if session else None,
        ad_unit_id=told.ad_unit_id,
        format=told.format,
        country=told.country,
        told_micros=told.revenue_micros,
        currency=told.currency,
        precision=told.precision,
        revenue_micros=revenue_micros,
        exchange_rate=rate.rate,
        exchange_source=rate.source,
        occurred_at=told.occurred_at,
        received_at=now,
    )


def _viewer(user_id: str) -> Viewer | None:
    return Viewer.objects.filter(id=UUID(hex=user_id)).first() if user_id else None


def _environment(viewer: Viewer | None, session: AdSession | None) -> str:
    """The session's, else that in which the viewer is now; whoever is not known is no tester of ours."""
    if session is not None:
        return session.environment
    return viewer.environment if viewer is not None else Environment.PRODUCTION


def _session(told: ToldImpression, network: str, viewer: Viewer) -> AdSession | None:
    """The session that was open then, the latest of several; where none was, by a clock that is behind, the first
    that was opened soon after. One whose ad had been settled by then comes last."""
    found = AdSession.objects.filter(
        viewer=viewer,
        network=network,
        ad_unit_id=told.ad_unit_id,
        opened_at__lte=told.occurred_at + FURTHEST_AHEAD,
        expires_at__gt=told.occurred_at,
    ).order_by("-opened_at")
    before = [one for one in found if one.opened_at <= told.occurred_at]
    waiting = [one for one in before if not one.closed_at or one.closed_at > told.occurred_at]
    after = [one for one in found if one.opened_at > told.occurred_at]
    return next(iter([*waiting, *reversed(after), *before]), None)
