"""The X-Clock header: simulated days pass through the public API, and nothing else does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client, RequestFactory

from config import clock, seals

MOMENT = datetime(1916, 10, 2, 20, 15, tzinfo=UTC)
FORGED = [
    "",
    "1916-10-02T20:15:00+00:00",
    "x.y.z",
    "é",
    clock.header_value(MOMENT)[:-1],
    clock.header_value(MOMENT) + "A",
    seals.seal("quote", MOMENT.isoformat().encode()),
]


def at(header: str) -> datetime:
    return clock.now(RequestFactory().get("/", headers={"X-Clock": header}))


def test_sets_the_moment_of_a_request() -> None:
    assert at(clock.header_value(MOMENT)) == MOMENT


def test_is_ignored_where_the_clock_is_not_simulated(settings: Any) -> None:
    settings.SIMULATED_CLOCK = False

    assert at(clock.header_value(MOMENT)).year > MOMENT.year


def test_one_request_has_one_moment() -> None:
    request = RequestFactory().get("/")

    assert clock.now(request) is clock.now(request)


@pytest.mark.parametrize("path", ["/v1/config", "/v1/me", "/admin/", "/media/video/x", "/livez"])
@pytest.mark.parametrize("header", FORGED)
def test_is_refused_anywhere_when_forged(api: Client, path: str, header: str) -> None:
    response = api.get(path, headers={"X-Clock": header})

    assert (response.status_code, response.json()["code"]) == (400, "clock_refused")
