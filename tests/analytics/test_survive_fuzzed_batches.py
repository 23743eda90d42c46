"""Whatever a client sends, nothing breaks, and no good event is lost to a bad one beside it."""

import gzip
import json
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import msgspec
import pytest
import zstandard
from django.test import Client

from analytics.intake.batches import BATCH_BYTES
from analytics.models import EventBatch, QuarantinedEvent
from tests.factories.events import app_open, batch
from tests.factories.viewers import viewer_headers
from tests.hostile.fragments import FRAGMENTS
from tests.proof import Proof

FULL_BATCHES = 100_000
PLACE = b'"a place for an event"'
#: So many rows are kept of those that were judged; the rest only makes the test's table long.
EMPTIED_AFTER = 2_000
BOMB_BYTES = 30_000_000

#: What is one value or ends where it should: no one doubts where the next event begins.
CLOSED = [
    value
    for name, value in FRAGMENTS.items()
    if name not in {"nothing", "unclosed lists"} and len(value) < 20_000
]
MEMBERS = [*app_open(at=datetime(2026, 3, 14)), "from_ms", "series_id", "\\u0000", "__proto__"]  # noqa: DTZ001


def _json(chance: Random, depth: int = 0) -> Any:
    """Any value, as Python writes it: with NaN, infinity and lone surrogates."""
    kind = chance.randrange(9 if depth < 4 else 7)
    if kind == 7:
        return [_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 8:
        return {
            chance.choice(MEMBERS): _json(chance, depth + 1) for _ in range(chance.randrange(4))
        }
    return (
        None,
        chance.random() < 0.5,
        chance.choice([0, -1, 2**63, -(2**64), 10**400, 5]),
        chance.choice([0.5, 1e308, float("nan"), float("inf"), -0.0]),
        chance.choice(["", "x", "\x00", "\ud800", "\udfff\ud800", "x" * 9000, "\u202e"]),
        "2026-03-14T12:00:00Z",
        "0195a1c2-7b1e-7c55-9d0e-3f1b8a1c2d3e",
    )[kind]


def _hostile(chance: Random, now: datetime) -> bytes:
    """Something in the place of an event, of which one can tell where it ends."""
    match chance.randrange(6):
        case 0:
            return chance.choice(CLOSED)
        case 1:
            return json.dumps(_json(chance)).encode()
        case 2:
            deep = chance.choice([5, 40, 200, 3_000])
            return b"[" * deep + b"]" * deep
        case 3:
            twice = chance.choice(MEMBERS)
            return f'{{"type": "app_open", "{twice}": 1, "{twice}": 2}}'.encode()
        case 4:
            opened = app_open(
                at=now, **{chance.choice(["channel", "campaign"]): msgspec.Raw(PLACE)}
            )
            return msgspec.json.encode(opened).replace(PLACE, chance.choice(CLOSED))
        case _:
            return msgspec.json.encode(app_open(at=now) | {chance.choice(MEMBERS): "1" * 5_000})


def _around(events: list[bytes], now: datetime) -> bytes:
    """A batch in which they stand between two good ones."""
    good = [msgspec.json.encode(app_open(at=now)) for _ in range(2)]
    whole = msgspec.json.encode(batch([msgspec.Raw(PLACE)], sent_at=now, catalogue=2))
    return whole.replace(PLACE, b", ".join([good[0], *events, good[1]]))


def _broken(chance: Random, now: datetime) -> tuple[bytes, str]:
    """A body of which anything may come but a 5xx, and its encoding."""
    whole = _around([_hostile(chance, now)], now)
    at = chance.randrange(len(whole))
    match chance.randrange(6):
        case 0:
            return whole[:at] + chance.randbytes(chance.randrange(20)) + whole[at + 3 :], ""
        case 1:
            return whole[:at], ""
        case 2:
            return gzip.compress(whole)[: chance.randrange(10, 200)], "gzip"
        case 3:
            return zstandard.compress(whole)[: chance.randrange(10, 200)], "zstd"
        case 4:
            return chance.randbytes(at), chance.choice(["", "gzip", "zstd", "br"])
        case _:
            return chance.choice(BOMBS)


BOMBS = [
    (gzip.compress(bytes(BOMB_BYTES)), "gzip"),
    (zstandard.compress(bytes(BOMB_BYTES)), "zstd"),
    (gzip.compress(gzip.compress(bytes(BOMB_BYTES))), "gzip"),
    (b'{"events": [' + b"[" * 200_000, ""),
]


@pytest.mark.django_db(transaction=True)
def test_nothing_breaks_and_no_batch_is_lost_to_one_bad_event(
    api: Client, device, now: datetime, proof: Proof
):
    chance = Random(proof.seed)  # noqa: S311  repeatable by its seed
    headers = viewer_headers(device, now=now)
    wrong, statuses = list[str](), Counter[int]()
    for number in range(proof.rounds(full=FULL_BATCHES)):
        is_broken = chance.random() < 0.4
        if is_broken:
            sent, encoding = _broken(chance, now)
        else:
            hostile = [_hostile(chance, now) for _ in range(chance.randrange(1, 5))]
            sent, encoding = _around(hostile, now), chance.choice(["", "gzip", "zstd"])
            if len(sent) > BATCH_BYTES:
                continue
            sent = _packed(sent, encoding)
        answer = api.post(
            "/v1/events",
            sent,
            content_type="application/json",
            headers=headers | ({"Content-Encoding": encoding} if encoding else {}),
        )
        statuses[answer.status_code] += 1
        if answer.status_code >= 500 or not (is_broken or _keeps_the_good(answer)):
            wrong.append(f"{number}: {answer.status_code} {answer.content[:300]!r}")
        if number % EMPTIED_AFTER == EMPTIED_AFTER - 1:
            EventBatch.objects.all().delete()
            QuarantinedEvent.objects.all().delete()
    proof.record("P13", f"Fuzzed batches, answered {dict(statuses)}", violations=len(wrong))
    assert wrong == []
    assert statuses[200] > statuses[400] > 0


def _packed(sent: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(sent)
    return zstandard.compress(sent) if encoding else sent


def _keeps_the_good(answer: Any) -> bool:
    if answer.status_code != 200:
        return False
    verdicts = [each["verdict"] for each in answer.json()["verdicts"]]
    return verdicts[0] == verdicts[-1] == "accepted" and len(verdicts) >= 3
