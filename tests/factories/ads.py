"""Placements for tests, and ads that are watched through the same doors as real ones."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import factory
from django.conf import settings
from factory.django import DjangoModelFactory

from ads import callbacks, sessions
from ads.callbacks import Settled
from ads.models import AdSession, Placement
from ads.networks import registry
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
