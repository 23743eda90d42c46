"""An episode that an ad opened is explained by the session, the reward and the callback."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ads.causes import AdCause, ad_causes
from ads.models import AdSession, Callback, Placement, Reward
from catalog.models import Series
from payments.models import Entitlement
from payments.support import why
from payments.support.explanations import EntitlementCause, Explanation, Reason
from tests.ads.conftest import LOCKED
from tests.contracts import document
from tests.factories.ads import ad_session, report, watch, watched
from tests.factories.viewers import pipeline_headers
from viewers.models import Device, Scope


@pytest.fixture
def session(placement: Placement, series: Series, device: Device, now: datetime) -> AdSession:
    return ad_session(
        placement,
        viewer_id=device.viewer_id,
        episode_id=series.episodes.get(number=LOCKED).id,
        now=now,
        position_ms=58_000,
    )


def _why(session: AdSession, at: datetime) -> Explanation:
    return why.why(
        viewer_id=session.viewer_id,
        environment="production",
        episode_id=session.episode_id,
        at=at,
    )


def test_names_what_the_network_attested(session: AdSession, now: datetime) -> None:
    watch(session, now=now + timedelta(seconds=30))

    told = _why(session, now + timedelta(seconds=30))

    assert (told.may_watch, told.reason) == (True, Reason.AD)
    cause, reward, callback = told.entitlement.cause, Reward.objects.get(), Callback.objects.get()
    assert isinstance(cause, AdCause)
    assert (cause.ad_session_id, cause.placement, cause.network) == (session.id, "paywall", "fake")
    assert (cause.transaction_id, cause.reward_id) == (reward.transaction_id, reward.id)
    assert (cause.callback_id, cause.verdict) == (callback.id, "paid")
    assert (cause.number, cause.daily_cap, cause.revenue_micros) == (1, 10, 12_000)
    assert (cause.opened_at, cause.rewarded_at) == (now, now + timedelta(seconds=30))
    assert cause.position_ms == 58_000


def test_says_the_same_after_the_callback_came_again(session: AdSession, now: datetime) -> None:
    callback = watched(session, now=now)
    report(callback, now=now)
    before = _why(session, now)
    report(callback, now=now + timedelta(seconds=9))

    assert _why(session, now) == before
    assert not _why(session, now - timedelta(microseconds=1)).may_watch


def test_takes_two_questions_however_many_ads(
    session: AdSession, now: datetime, django_assert_num_queries: Any
) -> None:
    watch(session, now=now)
    rows = list(Entitlement.objects.all()) * 3

    with django_assert_num_queries(2):
        assert set(ad_causes(rows, now)) == {rows[0].id}


def test_the_document_lists_the_cause_among_the_others() -> None:
    schemas = document.published()["components"]["schemas"]

    assert AdCause in EntitlementCause.kinds()
    mapping = schemas["EntitlementCause"]["discriminator"]["mapping"]
    assert set(mapping) == {"coins", "subscription", "grant", "ad"}
    assert mapping["ad"] == "#/components/schemas/AdCause"
    assert schemas["AdCause"]["properties"]["kind"]["enum"] == ["ad"]


def test_support_reads_it(api: Client, session: AdSession, now: datetime) -> None:
    watch(session, now=now)
    query = {"viewer_id": session.viewer_id, "episode_id": session.episode_id}
    headers = pipeline_headers(now=now, scopes=[Scope.SUPPORT_READ])

    told = api.get("/v1/support/why", query, headers=headers).json()

    assert told["entitlement"]["cause"]["kind"] == "ad"
    assert told["entitlement"]["cause"]["day"] == "2026-03-14"
