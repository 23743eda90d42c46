"""GET /v1/config."""

import pytest
from django.core.cache import caches


@pytest.fixture(autouse=True)
def nothing_remembered():
    caches["local"].clear()
    yield
    caches["local"].clear()


def test_answers_what_an_app_needs_first(api, settings):
    settings.QUOTE_SECONDS, settings.PLAYBACK_SECONDS = 600, 120
    response = api.get("/v1/config")

    assert response.status_code == 200
    assert response.json() == {
        "api": "v1",
        "default_locale": "en",
        "quote_ttl_seconds": 600,
        "playback_ttl_seconds": 120,
    }


def test_may_be_cached_by_anyone_and_asks_the_database_nothing(api, django_assert_num_queries):
    with django_assert_num_queries(0):
        first = api.get("/v1/config")
    again = api.get("/v1/config", headers={"If-None-Match": first["ETag"]})

    assert first["Cache-Control"] == "public, max-age=60"
    assert (again.status_code, again.content) == (304, b"")


def test_is_open_to_a_caller_whose_token_is_broken(api):
    assert api.get("/v1/config", headers={"Authorization": "Bearer x"}).status_code == 200


def test_takes_no_other_method(api):
    response = api.post("/v1/config", {}, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
