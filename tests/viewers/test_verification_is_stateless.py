"""A viewer's token is checked by computation alone."""

import pytest

from tests.factories.viewers import DeviceFactory, viewer_headers
from viewers import tokens


@pytest.fixture
def no_cache_reachable(settings):
    """Any use of the cache from here on is an error: nothing listens on this port."""
    dead = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    }
    settings.CACHES = {"default": dead, "local": dead}


def test_verifies_without_a_query(now, db, django_assert_num_queries, no_cache_reachable):
    token, _ = tokens.sign(DeviceFactory(), now=now)

    with django_assert_num_queries(0):
        tokens.verify(token, now=now)


def test_serves_a_request_without_a_query(
    api, now, settings, django_assert_num_queries, no_cache_reachable
):
    settings.ROOT_URLCONF = "tests.viewers.guarded_urls"
    headers = viewer_headers(DeviceFactory(), now=now)

    with django_assert_num_queries(0):
        response = api.get("/v1/for-viewers", headers=headers)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
