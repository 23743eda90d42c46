"""Idempotency keys of HTTP clients: the same request twice has one effect and one answer."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest

from config.bodies import AnswerShape
from config.problems import Problem
from payments.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
MAXIMUM_CHARACTERS = 100
PRUNED_AT_ONCE = 1000

Answer = TypeVar("Answer", bound=AnswerShape)


class KeyInvalid(Problem):
    code = "idempotency_key_invalid"
    title = f"Idempotency-Key takes 1 to {MAXIMUM_CHARACTERS} printable ASCII characters"


class KeyReused(Problem):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another request"


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's key, with the SHA-256 of the request it stands for."""

    value: str
    fingerprint: bytes


@dataclass(frozen=True)
class Answered(Generic[Answer]):
    """An answer, and whether an earlier call has given it first."""

    answer: Answer
    is_replay: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """What the response says of it."""
        return {REPLAYED_HEADER: "true"} if self.is_replay else {}


def read_key(request: HttpRequest, body: msgspec.Struct) -> IdempotencyKey | None:
    """The request's key, or None without the header. Raises KeyInvalid.

    The fingerprint covers method, path and the parsed body in canonical form, so that spacing and
    order of members do not make a retry look like another request.
    """
    value = request.headers.get(HEADER)
    if value is None:
        return None
    if not (0 < len(value) <= MAXIMUM_CHARACTERS and value.isascii() and value.isprintable()):
        raise KeyInvalid
    canonical = msgspec.json.encode(body, order="deterministic")
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + canonical)
    return IdempotencyKey(value=value, fingerprint=digest.digest())


@dataclass(frozen=True)
class Once(Generic[Answer]):
    """One viewer's request to an operation, whose answer is kept under its key, if it has one.

    `refusals` are kept as answers are: what they refuse stays refused for the key. Every other
    failure leaves nothing behind, and the key as good as new.
    """

    viewer_id: UUID
    operation: str
    key: IdempotencyKey | None
    shape: type[Answer]
    refusals: Sequence[type[Problem]] = ()

    def kept(self) -> Answered[Answer] | None:
        """What an earlier call was answered, None where none has been. Raises KeyReused and the
        refusal that was kept."""
        if self.key is None:
            return None
        record = IdempotencyRecord.objects.filter(
            viewer_id=self.viewer_id, operation=self.operation, key=self.key.value
        ).first()
        if record is None:
            return None
        is_same = bytes(record.fingerprint) == self.key.fingerprint
        return self._replay(is_same=is_same, outcome=msgspec.json.encode(record.outcome))

    def answer(self, work: Callable[[], Answer], *, now: datetime) -> Answered[Answer]:
        """Does the work and keeps its answer in one transaction; of twins, one does, and the others
        wait and repeat its answer. Raises what `kept` and the work raise."""
        if self.key is None:
            return Answered(work(), is_replay=False)
        with transaction.atomic(durable=True):
            if (earlier := self._take(self.key, now)) is not None:
                return earlier
            done = self._attempt(work)
            self._keep(self.key, done)
        if isinstance(done, Problem):
            raise done
        return Answered(done, is_replay=False)

    def _attempt(self, work: Callable[[], Answer]) -> Answer | Problem:
        """The answer, or a refusal to keep, of which the work leaves nothing else behind."""
        try:
            with transaction.atomic():
                return work()
        except tuple(self.refusals) as refusal:
            return refusal

    def _take(self, key: IdempotencyKey, now: datetime) -> Answered[Answer] | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT is_new, is_same, outcome::text FROM payments_take_key(%s, %s, %s, %s, %s)",
                [self.viewer_id, self.operation, key.value, key.fingerprint, now],
            )
            is_new, is_same, outcome = cursor.fetchone()
        return None if is_new else self._replay(is_same=is_same, outcome=outcome)

    def _keep(self, key: IdempotencyKey, done: Answer | Problem) -> None:
        kept = (
            _Kept(refusal=done.code, detail=done.detail, extra=dict(done.extra))
            if isinstance(done, Problem)
            else _Kept(answer=msgspec.json.encode(done).decode())
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT payments_keep_outcome(%s, %s, %s, %s::jsonb)",
                [self.viewer_id, self.operation, key.value, msgspec.json.encode(kept).decode()],
            )

    def _replay(self, *, is_same: bool, outcome: str | bytes) -> Answered[Answer]:
        if not is_same:
            raise KeyReused
        kept = msgspec.json.decode(outcome, type=_Kept)
        if kept.refusal is not None:
            by_code = {refusal.code: refusal for refusal in self.refusals}
            refusal = by_code[kept.refusal](kept.detail, **kept.extra)
            refusal.headers = {**refusal.headers, REPLAYED_HEADER: "true"}
            raise refusal
        return Answered(msgspec.json.decode(kept.answer, type=self.shape), is_replay=True)


class _Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept under a key: an answer as it was written, or a refusal's code with its members."""

    answer: str = ""
    refusal: str | None = None
    detail: str = ""
    extra: dict[str, object] = {}


def prune(*, now: datetime) -> int:
    """Deletes some of the answers that are older than IDEMPOTENCY_DAYS; returns how many, 0 at the end.

    What they answered for stays done once: an unlocked episode, a store's transaction and an ad session
    each have a key of their own.
    """
    old = IdempotencyRecord.objects.filter(
        created_at__lte=now - timedelta(days=settings.IDEMPOTENCY_DAYS)
    ).order_by("created_at")
    ids = list(old.values_list("id", flat=True)[:PRUNED_AT_ONCE])
    deleted, _ = IdempotencyRecord.objects.filter(id__in=ids).delete()
    return deleted
