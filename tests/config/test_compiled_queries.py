"""A query that is written once answers each time what its arguments ask for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
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


def test_asks_once(
    db: None, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        KNOWN.first(viewer_id=uuid4(), device_id=uuid4(), at=now)


def test_an_argument_that_is_not_given_is_an_error(db: None, now: datetime) -> None:
    with pytest.raises(KeyError, match="device_id"):
        KNOWN.first(viewer_id=uuid4(), at=now)
