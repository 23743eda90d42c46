"""A viewer's story, told a second at a time, with what was known after each step."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.contrib.auth.models import User

from catalog.models import Episode, Series
from payments.access import entitlements, paywall
from payments.desk import grants
from payments.desk.grants import Gift
from payments.models import Entitlement, GrantReason, Purchase, Refund, RefundOrigin, Unlock
from payments.store import operator_refunds, refunds
from payments.store.refunds import RefundFact
from payments.support import why
from payments.support.explanations import Explanation
from payments.unlocking import unlocks
from tests.factories.payments import fund, give_bonus


@dataclass
class Diary:
    """Steps through the same doors as real ones, each answering its row or its moment.

    `lines` is what `why` said at each moment.
    """

    viewer_id: UUID
    series: Series
    now: datetime
    operator: User
    second: User
    lines: list[tuple[datetime, int, bytes]] = field(default_factory=list)

    def buy(self, *, paid: int = 100, bonus: int = 0, micros: int = 10_000_000) -> Purchase:
        return fund(self.viewer_id, now=self._tick(), paid=paid, bonus=bonus, price_micros=micros)

    def earn(self, coins: int, *, value_micros: int = 0) -> datetime:
        give_bonus(self.viewer_id, coins=coins, now=self._tick(), value_micros=value_micros)
        return self.now

    def unlock(self, number: int) -> Unlock:
        now = self._tick()
        outcome = unlocks.unlock(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=self.episode(number).id,
            quote=self.quote(now),
            now=now,
            playback_session_id=uuid4(),
            position_ms=61_000,
        ).outcome
        assert outcome.outcome in ("unlocked", "covered"), outcome
        return Unlock.objects.filter(id=outcome.unlock_id).first()

    def play(self, number: int) -> datetime:
        live = Entitlement.objects.get(episode=self.episode(number), closed_at=None)
        entitlements.mark_played([live], now=self._tick())
        return self.now

    def refund(
        self,
        purchase: Purchase,
        *,
        name: str = "all",
        micros: int | None = None,
        reason: str = "Accident",
    ) -> datetime:
        self._hear(purchase, name, reason, amount_micros=micros, refunded_at=self._tick())
        return self.now

    def reverse(self, purchase: Purchase, *, name: str = "all") -> datetime:
        """By an operator, who believes the store's word on the telephone."""
        known = Refund.objects.get(purchase=purchase, refund_id=name)
        operator_refunds.reverse(known, operator_id=self.second.id, now=self._tick())
        return self.now

    def undo(self, unlock: Unlock) -> datetime:
        refunds.undo_unlock(
            unlock, operator_id=self.operator.id, reason="Wrong episode", now=self._tick()
        )
        return self.now

    def give(self, gift: Gift) -> UUID:
        grant_id = uuid4()
        answer = grants.ask(
            grant_id=grant_id,
            viewer_id=self.viewer_id,
            gift=gift,
            reason=GrantReason.FAULT,
            note="The player stalled",
            operator_id=self.operator.id,
            now=self._tick(),
        )
        if answer == "waiting":
            grants.decide(
                grant_id=grant_id,
                operator_id=self.second.id,
                is_approved=True,
                note="Seen the log",
                now=self._tick(),
            )
        return grant_id

    def take_back(self, grant_id: UUID) -> datetime:
        grants.revoke(grant_id=grant_id, operator_id=self.second.id, now=self._tick())
        return self.now

    def wait(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        self._tick()
        return self.now

    def why(self, number: int, at: datetime | None = None) -> Explanation:
        return why.why(
            viewer_id=self.viewer_id,
            environment="production",
            episode_id=self.episode(number).id,
            at=at or self.now,
        )

    def episode(self, number: int) -> Episode:
        return self.series.episodes.get(number=number)

    def quote(self, now: datetime) -> str:
        shown = paywall.show(
            viewer_id=self.viewer_id,
            environment="production",
            series_id=self.series.id,
            now=now,
        )
        return shown.quote.token()

    def note(self, *numbers: int) -> None:
        """Writes down what is known now of these episodes."""
        for number in numbers:
            self.lines.append((self.now, number, msgspec.json.encode(self.why(number))))

    def read_again(self) -> Iterator[tuple[bytes, bytes]]:
        """Each line as it was written, and as it is told today."""
        for at, number, line in self.lines:
            yield line, msgspec.json.encode(self.why(number, at))

    def _hear(self, purchase: Purchase, name: str, reason: str, **facts: Any) -> None:
        refunds.record(
            RefundFact(
                provider=purchase.provider,
                environment=purchase.environment,
                transaction_id=purchase.transaction_id,
                refund_id=name,
                origin=RefundOrigin.STORE,
                reason=reason,
                **facts,
            ),
            now=self.now,
        )

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now
