"""A shop with the demo's serials in this process, for simulated viewers to come into."""

import httpx
import msgspec

from catalog import ingest
from catalog.pushes import SeriesPush
from config import clock
from config.wsgi import application
from demo import catalog, reference_data
from demo.catalog import Serial, series_payload
from demo.simulation import Connect
from demo.simulation.runs import Headers
from demo.transport import Transport
from tests.factories.ads import PlacementFactory
from tests.factories.catalog import PAST, stored_poster, stored_video
from tests.factories.payments import default_plan


def stock(count: int) -> list[Serial]:
    """Publishes the first serials, prices them, and puts coin packs and an ad placement beside."""
    default_plan()
    serials = catalog.load()[:count]
    video, poster = stored_video(), stored_poster()
    for serial in serials:
        payload = series_payload(
            serial,
            poster_sha256=poster.sha256,
            clip_sha256_by_number={one.number: video.sha256 for one in serial.chapters},
        )
        push = msgspec.convert(payload, SeriesPush)
        ingest.ingest(external_id=serial.external_id, push=push, now=PAST)
    reference_data.load(now=clock.read())
    PlacementFactory()
    return serials


def in_process() -> Connect:
    """Connections that call the application without a network."""

    def connect(headers: Headers) -> Transport:
        return Transport(
            "http://testserver",
            always=headers,
            http=httpx.WSGITransport(app=application, raise_app_exceptions=False),
            pause=lambda seconds: None,
        )

    return connect
