"""Placements for tests, and ads that are watched through the same doors as real ones."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import factory
from django.conf import settings
from django.db import connection
from factory.django import DjangoModelFactory

from ads import callbacks, sessions
from ads.callbacks import Settled
from ads.models import AdSession, Placement, ReportOrigin
from ads.networks import registry
from ads.revenue import impressions, reports
from ads.revenue.impressions import Told
from ads.revenue.reports import Brought, Taken
from ads.sessions import Opened

PAST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class PlacementFactory(DjangoModelFactory[Placement]):
    """A placement of the fake network with room for ten ads a day, one after the other."""

    class Meta:
        model = Placement

    code = factory.Sequence(lambda n: f"placement-{n}")
    title = "Watch an ad"
    network = "fake"
    ad_unit_id = factory.Sequence(lambda n: f"fake-app/unit-{n}")
    daily_cap = 10
    estimated_net_micros = 12_000
    created_at = PAST


def open_session(
    placement: Placement, *, viewer_id: UUID, episode_id: UUID | None, now: datetime, **more: Any
) -> Opened:
    """A session of a viewer in production, opened through the same door as a real one."""
    return sessions.open_one(
        viewer_id=viewer_id,
        environment=more.pop("environment", "production"),
        placement_code=placement.code,
        episode_id=episode_id,
        now=now,
        **more,
    )


def ad_session(
    placement: Placement, *, viewer_id: UUID, episode_id: UUID | None, now: datetime, **more: Any
) -> AdSession:
    """The row of such a session."""
    opened = open_session(placement, viewer_id=viewer_id, episode_id=episode_id, now=now, **more)
    return AdSession.objects.get(id=opened.session_id)


def watched(session: AdSession, *, now: datetime, **changes: Any) -> str:
    """The query string with which the fake network reports the session's ad; `changes` replace
    what it says."""
    said: dict[str, Any] = {
        "ad_unit_id": session.ad_unit_id,
        "custom_data": session.id.hex,
        "user_id": session.viewer_id.hex,
        "now": now,
    }
    return registry.fake_network(settings).watched(**(said | changes))


def claim(opened: Opened) -> str:
    """What an app claims that is believed, as it was answered when the ad was announced."""
    told = opened.hand_over
    unit = opened.placement.ad_unit_id
    return f"ad_unit={unit}&custom_data={told.custom_data}&user_id={told.user_id}"


def report(query_string: str, *, now: datetime, network: str = "fake") -> Settled:
    """The network's callback arrives."""
    return callbacks.settle(network=network, query_string=query_string, now=now)


def watch(session: AdSession, *, now: datetime, **changes: Any) -> Settled:
    """The viewer watches the session's ad, and the network says so."""
    return report(watched(session, now=now, **changes), now=now)


def told(session: AdSession | None = None, *, at: datetime, **more: Any) -> Told:
    """What an app tells of an ad that was shown, in a session or outside of one, for 0.03."""
    said: dict[str, Any] = {
        "impression_id": str(uuid4()),
        "network": "fake",
        "ad_unit_id": session.ad_unit_id if session else "fake-app/banner",
        "format": "rewarded" if session else "banner",
        "revenue_micros": 30_000,
        "currency": "USD",
        "precision": "precise",
        "country": "US",
        "occurred_at": at,
        "session_id": session.id if session else None,
    }
    return Told(**(said | more))


def tell(
    *impressions_told: Told, viewer_id: UUID, now: datetime, environment: str = "production"
) -> list[str]:
    """The app tells of impressions; what came of each."""
    verdicts = impressions.receive(
        impressions_told, viewer_id=viewer_id, environment=environment, now=now
    )
    return [str(verdict) for verdict in verdicts]


def report_file(*lines: tuple[object, ...]) -> bytes:
    """A CSV file of days, ad units, countries and amounts in dollars."""
    header = "day,ad_unit_id,country,impressions,revenue,currency"
    rows = [
        ",".join(map(str, (day, unit, where, 1, amount, "USD")))
        for day, unit, where, amount in lines
    ]
    return "\n".join([header, *rows]).encode()


def bring_report(
    *lines: tuple[object, ...], now: datetime, network: str = "fake", **more: Any
) -> Taken:
    """The network reports its days."""
    return reports.take(
        Brought(
            **{
                "content": report_file(*lines),
                "network": network,
                "name": "report.csv",
                "origin": ReportOrigin.COMMAND,
            }
            | more
        ),
        now=now,
    )


def earned(**of: Any) -> int:
    """What ads earned by the view that every figure reads, in micros; `of` are its columns."""
    conditions = " AND ".join(f"{name} = %s" for name in of) or "true"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(sum(micros), 0) FROM ads_earning WHERE {conditions}",
            list(of.values()),
        )
        (micros,) = cursor.fetchone()
    return int(micros)
