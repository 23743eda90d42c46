"""What a viewer is asked, told over HTTP and read back from a quote; and new prices for a whole catalog."""

import time
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Episode, Series
from config.ids import uuid7
from payments import rendering
from payments.access import offer_choices, paywall
from payments.desk.price_changes import approval
from payments.desk.price_changes.contents import PriceTable, TermsContent
from payments.models import PriceChange
from payments.prices import quotes
from tests.benchmarks import load
from tests.benchmarks.population import VIEWER, Population, uuid_of
from viewers import tokens
from viewers.models import Device, Viewer

TITLES = 30_000
SERIES = 7
VERIFICATIONS = 20_000


def paywalls_per_second(
    population: Population, *, port: int, clients: int, seconds: float
) -> float:
    """Paywalls of a series of a hundred episodes, each client a viewer of its own."""

    def requests(client: int) -> Iterator[bytes]:
        device = Device(viewer=Viewer(id=uuid_of(VIEWER, client + 1), environment="production"))
        token, _ = tokens.sign(device, now=population.now)
        request = (
            f"GET /v1/series/{population.series.id}/paywall HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        while True:
            yield request

    return (
        load.run(port=port, requests=requests, clients=clients, seconds=seconds)
        .only(200)
        .per_second
    )


def paywall_queries(population: Population) -> int:
    """Queries of one paywall of that series, rendered, in a process that has shown it before."""
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            shown = paywall.show(
                viewer_id=uuid_of(VIEWER, 1),
                environment="production",
                series_id=population.series.id,
                now=population.now,
            )
            rendering.paywall(shown, offer_choices.show(shown))
    return len(seen)


def verify_microseconds(population: Population) -> float:
    """Microseconds to verify one quote."""
    viewer_id = uuid_of(VIEWER, 1)
    token = population.quote(viewer_id)
    began = time.perf_counter()
    for _ in range(VERIFICATIONS):
        quotes.verify(token, viewer_id=viewer_id, environment="production", now=population.now)
    return (time.perf_counter() - began) / VERIFICATIONS * 1e6


def repriced_titles_per_second(population: Population) -> float:
    """Titles a second that a price table gives prices of their own: drafted, proposed with a preview of
    each, agreed to by a second person, and in force."""
    _seed(population)
    author, second = (User.objects.create_user(name) for name in ("author", "second"))
    began = time.monotonic()
    change = _reprice(population, author=author, second=second)
    seconds = time.monotonic() - began
    change.refresh_from_db()
    if (change.state, change.titles_count) != ("scheduled", TITLES):
        raise AssertionError(change)
    return TITLES / seconds


def _reprice(population: Population, *, author: User, second: User) -> PriceChange:
    table = {
        uuid_of(SERIES, number): TermsContent(
            free_count=8, base_price_coins=50 + number % 20, steps={40: 80 + number % 10}
        )
        for number in range(1, TITLES + 1)
    }
    change = approval.draft(
        name="A table",
        content=PriceTable(rows=table),
        series_ids=list(table),
        effective_from=None,
        operator_id=author.id,
        now=population.now,
    )
    approval.propose(change_id=change.id, operator_id=author.id, now=population.now)
    return approval.decide(
        change_id=change.id, operator_id=second.id, is_agreed=True, note="", now=population.now
    )


def _seed(population: Population) -> None:
    """Published titles with a hundredth episode each, as prices go by the last."""
    like = population.series
    last = Episode.objects.get(series=like, number=100)
    titles = range(1, TITLES + 1)
    Series.objects.bulk_create(
        [_copy(like, id=uuid_of(SERIES, n), external_id=f"bulk-{n}") for n in titles],
        batch_size=5_000,
    )
    Episode.objects.bulk_create(
        [
            _copy(last, id=uuid7(), series_id=uuid_of(SERIES, n), current_version_id=None)
            for n in titles
        ],
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _copy(row: Any, **changed: object) -> Any:
    kept = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    plain = {name: value for name, value in kept.items() if name != "place"}
    return type(row)(**plain | changed)
