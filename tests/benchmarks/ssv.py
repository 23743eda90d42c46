"""Ad networks' callbacks: verified, kept and paid over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection

from ads.models import Placement, Reward
from ads.networks import registry
from config import clock
from tests.benchmarks import load
from tests.benchmarks.population import FIRST_LOCKED, VIEWER, uuid_of, uuid_sql
from tests.factories.ads import PlacementFactory
from tests.factories.catalog import EpisodeFactory

#: Each callback is of another session of another viewer, and none is sent twice.
CALLBACKS = 40_000
SESSION = 6

_SEED = f"""
    INSERT INTO ads_adsession
        (id, viewer_id, environment, placement_id, network, ad_unit_id, series_id, episode_id,
         opened_at, expires_at, refusal)
    SELECT {uuid_sql(SESSION)}, {uuid_sql(VIEWER)}, 'production', placement.id, placement.network,
           placement.ad_unit_id, episode.series_id, episode.id, %(now)s,
           %(now)s::timestamptz + interval '1 day', ''
    FROM generate_series(1, {CALLBACKS}) n, ads_placement placement, catalog_episode episode
    WHERE placement.id = %(placement)s AND episode.id = %(episode)s
"""


def callbacks_per_second(*, port: int, clients: int, seconds: float) -> float:
    """Callbacks a second, each of which opens an episode before it is answered."""
    now = clock.read()
    requests = _requests(_placement(now), now)
    prepared = [requests[client::clients] for client in range(clients)]
    run = load.run(
        port=port, requests=lambda client: iter(prepared[client]), clients=clients, seconds=seconds
    ).only(200)
    if Reward.objects.count() != run.statuses[200]:
        raise AssertionError(f"{run.statuses[200]} answered, {Reward.objects.count()} paid")
    return run.per_second


def _placement(now: datetime) -> Placement:
    """A placement with open sessions of many viewers, for an episode that none of them has."""
    placement: Placement = PlacementFactory()
    episode = EpisodeFactory(number=FIRST_LOCKED)
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; SET statement_timeout = 0")
        cursor.execute(_SEED, {"now": now, "placement": placement.id, "episode": episode.id})
        cursor.execute("VACUUM ANALYZE ads_adsession")
    return placement


def _requests(placement: Placement, now: datetime) -> Sequence[bytes]:
    network = registry.fake_network(settings)

    def callback(number: int) -> bytes:
        session_id: UUID = uuid_of(SESSION, number)
        query = network.watched(
            ad_unit_id=placement.ad_unit_id,
            custom_data=session_id.hex,
            user_id=uuid_of(VIEWER, number).hex,
            now=now,
        )
        return f"GET /v1/ssv/fake?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    return [callback(number) for number in range(1, CALLBACKS + 1)]
