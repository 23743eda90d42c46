"""Bad input to public reads is a problem with a code, never a failure of ours."""

import base64
import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories.catalog import EpisodeFactory, SeriesFactory


def _cursor(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


ID = "01980000-0000-7000-8000-000000000000"
ALTERED = {
    "not base64": "!!!",
    "not JSON": base64.urlsafe_b64encode(b"{").decode(),
    "not ASCII": "é",
    "a number": _cursor(5),
    "deep nesting": _cursor(1)[:1] + "W1tb" * 40,
    "another endpoint's": _cursor([3]),
    "too long a tuple": _cursor([1_772_355_600_000_000, ID, 1]),
    "not a moment": _cursor(["2026-03-01T09:00:00Z", ID]),
    "before time": _cursor([-1, ID]),
    "after time": _cursor([2**53 + 1, ID]),
    "a fraction": _cursor([1.5, ID]),
    "not an id": _cursor([1_772_355_600_000_000, "x"]),
    "a NUL": _cursor([1_772_355_600_000_000, "\x00"]),
}


@pytest.mark.parametrize("cursor", ALTERED.values(), ids=ALTERED)
def test_refuses_altered_cursors(api, db, cursor):
    response = api.get("/v1/series", {"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    "cursor", [_cursor([1_772_355_600_000_000, ID]), _cursor([-1, ID]), _cursor([2**63, ID])]
)
def test_refuses_altered_search_cursors(api, db, cursor):
    response = api.get("/v1/series", {"q": "helen", "cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("cursor", [_cursor([-1]), _cursor([2**31]), _cursor(["1"]), _cursor([])])
def test_refuses_altered_episode_cursors(api, db, cursor):
    series = EpisodeFactory().series

    response = api.get(f"/v1/series/{series.id}/episodes", {"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("moment", [0, 2**53])
def test_takes_a_cursor_at_the_ends_of_time(api, db, moment):
    SeriesFactory()

    assert api.get("/v1/series", {"cursor": _cursor([moment, ID])}).status_code == 200


QUERIES = [
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=ten",
    "limit=" + "9" * 5000,
    "limit=",
    "sort=price",
    "cursor=" + "A" * 201,
    "genre=" + "x" * 61,
    "q=" + "x" * 101,
    "q=%00",
    "genre=a%00b",
    "%00=1",
    "locale=en_US",
    "locale=" + "x" * 40,
    "locale=en%0A",
    "locale=*",
]


@pytest.mark.parametrize("query", QUERIES)
def test_refuses_bad_parameters(api, db, query):
    response = api.get(f"/v1/series?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["q=x", "genre=x", "limit=0", "cursor=%00", "locale=%20"])
def test_refuses_bad_parameters_of_episodes(api, db, query):
    series = SeriesFactory()

    response = api.get(f"/v1/series/{series.id}/episodes?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize("query", ["q=%ED%A0%80", "q=%FF", "genre=%F0%9F%8E%AC", "q=%E2%80%AE"])
def test_finds_nothing_by_odd_text(api, db, query):
    response = api.get(f"/v1/series?{query}")

    assert (response.status_code, response.json()["series"]) == (200, [])


@given(q=st.text(max_size=100), genre=st.text(max_size=60), cursor=st.text(max_size=200))
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_never_fails_on_any_text(api, db, q, genre, cursor):
    for parameters in ({"q": q, "genre": genre}, {"cursor": cursor}, {"q": q, "cursor": cursor}):
        assert api.get("/v1/series", parameters).status_code in {200, 400}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_answers_no_other_method(api, db, method):
    response = getattr(api, method)("/v1/series")

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
