"""A query that is written once answers each time what its arguments ask for."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import BigIntegerField, Case, Exists, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import JSONObject
from pytest_django import DjangoAssertNumQueries

from config.compiled_queries import CompiledQuery
from tests.factories.viewers import DeviceFactory
from viewers.models import Device, Viewer

DAY = timedelta(days=1)


def _known(*, viewer_id: UUID, device_id: UUID, at: datetime) -> QuerySet[Any, Any]:
    """Names an argument twice, and constants of the same types."""
    device = Device.objects.filter(viewer_id=OuterRef("id"), id=device_id, created_at__lte=at)
    is_nobody = Case(When(id=UUID(int=0), then=Value(True)), default=Value(False))
    return (
        Viewer.objects.filter(Q(id=viewer_id), created_at__lte=at)
        .exclude(region="XX")
        .values_list("id", "region", Exists(device), is_nobody)
    )


KNOWN = CompiledQuery(_known, viewer_id=UUID, device_id=UUID, at=datetime)


def test_answers_as_the_query_itself_for_all_arguments(db: None, now: datetime) -> None:
    devices = [DeviceFactory(viewer__region=region, created_at=now) for region in ("US", "BR")]
    ids = [(one.viewer_id, one.id) for one in devices] + [(uuid4(), uuid4())]

    for viewer_id, _ in ids:
        for _, device_id in ids:
            for at in (now - DAY, now, now + DAY):
                asked = {"viewer_id": viewer_id, "device_id": device_id, "at": at}
                assert KNOWN.first(**asked) == _known(**asked).first()


def _seen(*, environment: str, since: date) -> QuerySet[Viewer]:
    """Objects, with what annotates them; one of the constants is what an argument might be."""
    devices = Device.objects.filter(viewer=OuterRef("id")).order_by("id")
    found: QuerySet[Viewer] = (
        Viewer.objects.filter(environment=environment, created_at__date__gte=since)
        .exclude(region="production")
        .annotate(
            told=ArraySubquery(devices.values(told=JSONObject(platform="platform"))),
            is_known=Exists(devices),
        )
        .order_by("id")
    )
    return found


def _summed(*, environment: str) -> QuerySet[Any, Any]:
    one = Value(2**40, output_field=BigIntegerField())
    found = Viewer.objects.filter(environment=environment).order_by("region")
    return found.values_list("region").annotate(total=Sum(one))


SEEN = CompiledQuery(_seen, environment=str, since=date)
SUMMED = CompiledQuery(_summed, environment=str)


def test_makes_the_objects_that_the_query_itself_makes(db: None, now: datetime) -> None:
    for region, environment in (("US", "production"), ("BR", "sandbox"), ("DE", "production")):
        DeviceFactory(
            viewer__region=region,
            viewer__environment=environment,
            viewer__created_at=now,
            created_at=now,
        )

    counts: list[int] = []
    for environment in ("production", "sandbox", "nowhere"):
        for since in (now.date(), now.date() - timedelta(days=400), now.date() + 400 * DAY):
            asked = {"environment": environment, "since": since}
            found, expected = SEEN.objects(**asked), list(_seen(**asked))
            counts.append(len(found))
            assert found == expected
            assert [vars(one) | {"_state": 0} for one in found] == [
                vars(one) | {"_state": 0} for one in expected
            ]
    assert counts == [2, 2, 0, 1, 1, 0, 0, 0, 0]


def test_an_object_of_a_compiled_query_is_one_of_the_database(db: None, now: datetime) -> None:
    DeviceFactory(viewer__environment="sandbox", created_at=now)
    (viewer,) = SEEN.objects(environment="sandbox", since=date(2020, 1, 1))

    viewer.region = "FR"
    viewer.save()

    assert Viewer.objects.get().region == "FR"


def test_answers_values_as_the_query_itself_does(db: None, now: datetime) -> None:
    for region in ("US", "BR", "US"):
        DeviceFactory(viewer__region=region, created_at=now)

    rows = SUMMED.rows(environment="production")

    assert rows == list(_summed(environment="production"))
    assert [type(value) for row in rows for value in row] == [str, int] * 2


def test_the_server_keeps_it(db: None) -> None:
    for _ in range(3):
        SUMMED.rows(environment="production")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements "
            "WHERE strpos(statement, 'SUM(') > 0 AND strpos(statement, 'viewers_viewer') > 0"
        )
        assert cursor.fetchall() == [(3,)]


def test_asks_once(
    db: None, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        KNOWN.first(viewer_id=uuid4(), device_id=uuid4(), at=now)


def test_an_argument_that_is_not_given_is_an_error(db: None, now: datetime) -> None:
    with pytest.raises(KeyError, match="device_id"):
        KNOWN.first(viewer_id=uuid4(), at=now)
