"""The same request from many connections at once, to every operation that changes something."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier
from time import sleep
from typing import Any

import pytest
from django.core.cache import caches
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from ads.models import AdSession, CheckInStreak, Impression, Invite, Referral, TaskClaim
from analytics.models import EventBatch, Export, ExportRecord
from catalog.models import (
    Episode,
    EpisodeVersion,
    Favorite,
    MediaAsset,
    Series,
    WatchPosition,
)
from payments.models import (
    AutoUnlockConsent,
    Entitlement,
    IdempotencyRecord,
    LinkArrival,
    OfferClaim,
    PromoRedemption,
    Purchase,
    PurchaseIntent,
    StoreMessage,
    Subscription,
    Transfer,
    Unlock,
)
from tests import ledger_rules, served_stripe
from tests.contracts import document
from tests.contracts.document import Operation
from tests.contracts.world import World, calls
from tests.proof import Proof
from viewers.models import RefreshToken, Viewer

TWINS = 6
WRITES = [operation for operation in document.operations() if operation.method != "GET"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def make_world(settings: Settings, tmp_path: Path, now: datetime) -> Iterator[Callable[[], World]]:
    """Makes worlds, with media in a folder of the test's own."""
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media", "base_url": "/media/"},
        }
    }
    caches["local"].clear()
    with served_stripe.selling(tmp_path / "stripe") as stripe:
        yield lambda: World(now, stripe)


def _counts() -> dict[str, int]:
    models: list[Any] = [
        *(Series, Episode, EpisodeVersion, MediaAsset, Viewer, PurchaseIntent),
        *(WatchPosition, Favorite, EventBatch, LinkArrival, AutoUnlockConsent),
        *(
            OfferClaim,
            PromoRedemption,
            StoreMessage,
            Subscription,
            Impression,
            Export,
            ExportRecord,
        ),
        *(TaskClaim, CheckInStreak, Invite, Referral),
        *(Purchase, Transfer, Unlock, Entitlement, RefreshToken, AdSession, IdempotencyRecord),
    ]
    files = [file for file in Path(default_storage.path("")).rglob("*") if file.is_file()]
    return {model.__name__: model.objects.count() for model in models} | {"files": len(files)}


def _twins(
    operation: Operation, world: World, *, count: int = TWINS, key: str | None = None
) -> list[HttpResponse]:
    """The answers to one request that `count` connections send at the same moment."""
    call = calls(world, operation.name)[0]
    url = operation.path
    for name, value in call.path.items():
        url = url.replace(f"{{{name}}}", value)
    (body, content_type), headers = call.wire(), world.headers(operation.credential)
    if key is not None:
        headers = headers | {"Idempotency-Key": key}
    barrier = Barrier(count)

    def send(_: int) -> HttpResponse:
        try:
            client = Client(raise_request_exception=False)
            barrier.wait(timeout=30)
            return _settled(
                lambda: client.generic(operation.method, url, body, content_type, headers=headers)
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send, range(count)))


def _settled(ask: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer for good: who is told to come again does so."""
    answer = ask()
    for _ in range(20):
        if answer.status_code not in {409, 503} or "Retry-After" not in answer.headers:
            break
        sleep(random.uniform(0.05, 0.5))  # noqa: S311  so that they do not all come at once again
        answer = ask()
    return answer


#: What one request adds, by operation id; its twins add nothing more.
ONCE: dict[str, dict[str, int]] = {
    "post_submit_transaction": {"Purchase": 1, "Transfer": 1},
    "patch_me": {},
    "post_restore_purchases": {"Purchase": 1, "Transfer": 1},
    "post_open_checkout": {},
    "post_open_payment": {},
    "post_open_portal": {},
    "post_webhook": {"StoreMessage": 1},
    "post_unlock_episode": {"Unlock": 1, "Entitlement": 1, "Transfer": 1},
    "post_redeem_promo_code": {"PromoRedemption": 1, "Transfer": 1},
    "post_unlock_series": {"Unlock": 2, "Entitlement": 2, "Transfer": 2},
    "post_auto_unlock_episode": {"Unlock": 1, "Entitlement": 1, "Transfer": 1},
    "post_undo_unlock": {"Transfer": 1},
    "put_my_auto_unlock": {"AutoUnlockConsent": 1},
    "post_play_episode": {},
    "put_my_history": {"WatchPosition": 1},
    "put_my_favorites": {"Favorite": 1},
    "post_my_arrival": {"LinkArrival": 1},
    "post_events": {"EventBatch": 1},
    "put_series_push": {"Series": 1, "Episode": 1, "EpisodeVersion": 1},
    "put_media_upload": {"MediaAsset": 1, "files": 1},
    "post_fake_checkout": {},
    "post_open_ad_session": {"AdSession": 1},
    "post_claim_task": {"TaskClaim": 1, "Transfer": 1},
    "put_my_zone": {"CheckInStreak": 1},
    "post_my_invite": {"Invite": 1},
    "post_my_referrer": {"Referral": 1},
    "post_fake_ad_view": {},
    "post_report_impressions": {"Impression": 1},
    "post_exports": {"Export": 1, "ExportRecord": 1},
    "delete_export": {"ExportRecord": 1},
}
#: What every request adds: announcing, registering and asking anew are not the same thing twice. Of an offer
#: they keep one place together.
EACH: dict[str, dict[str, int]] = {
    "post_create_intent": {"PurchaseIntent": TWINS, "OfferClaim": 1},
    "post_register_guest": {"Viewer": TWINS, "RefreshToken": TWINS},
    "post_exchange_refresh_token": {"RefreshToken": TWINS},
}


def test_every_operation_that_writes_says_what_twins_do() -> None:
    assert {operation.name for operation in WRITES} == set(ONCE) | set(EACH)


@pytest.mark.matrix(3)
@pytest.mark.parametrize("operation", WRITES, ids=str)
def test_twins_have_the_effect_that_is_promised(
    operation: Operation, make_world: Callable[[], World], proof: Proof
) -> None:
    for _ in range(proof.rounds(full=40)):
        world = make_world()
        before = _counts()

        answers = _twins(operation, world)

        assert {answer.status_code for answer in answers} <= operation.success_statuses
        added = {name: count - before[name] for name, count in _counts().items()}
        expected = (ONCE | EACH)[operation.name]
        assert {name: count for name, count in added.items() if count} == expected
        if {200, 201} <= operation.success_statuses:
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses == [200] * (TWINS - 1) + [201]

    assert ledger_rules.broken() == []
    proof.record("P5", f"{operation}, {TWINS} twins", violations=0)


#: Operations that take an Idempotency-Key, and what one call adds.
KEYED = {
    "post_create_intent": {"PurchaseIntent": 1, "OfferClaim": 1, "IdempotencyRecord": 1},
    "post_submit_transaction": {"Purchase": 1, "Transfer": 1, "IdempotencyRecord": 1},
    "post_unlock_episode": {
        "Unlock": 1,
        "Entitlement": 1,
        "Transfer": 1,
        "IdempotencyRecord": 1,
    },
    "post_unlock_series": {
        "Unlock": 2,
        "Entitlement": 2,
        "Transfer": 2,
        "IdempotencyRecord": 1,
    },
    "post_auto_unlock_episode": {
        "Unlock": 1,
        "Entitlement": 1,
        "Transfer": 1,
        "IdempotencyRecord": 1,
    },
}
CALLERS = 50


def test_every_operation_with_a_key_is_among_these() -> None:
    taking = {
        operation.name
        for operation in WRITES
        if any(p["name"] == "Idempotency-Key" for p in operation.definition.get("parameters", []))
    }
    assert taking == set(KEYED)


@pytest.mark.parametrize("name", list(KEYED))
def test_fifty_callers_with_one_key_have_one_effect_and_one_answer(
    name: str, make_world: Callable[[], World], proof: Proof
) -> None:
    operation = document.named(name)
    wrong = 0
    for number in range(proof.rounds(full=40)):
        world = make_world()
        before = _counts()

        answers = _twins(operation, world, count=CALLERS, key=f"key-{number}")

        added = {label: count - before[label] for label, count in _counts().items()}
        wrong += {label: count for label, count in added.items() if count} != KEYED[name]
        wrong += len({(answer.status_code, answer.content) for answer in answers}) != 1
        wrong += answers[0].status_code not in operation.success_statuses
        first = [answer for answer in answers if "Idempotent-Replayed" not in answer.headers]
        wrong += len(first) != 1

    assert wrong == 0
    assert ledger_rules.broken() == []
    proof.record("P5", f"{operation}, {CALLERS} callers with one key", violations=wrong)
