"""Callers race in the database, as those of as many processes do."""

from collections.abc import Sequence

import pytest

from payments.unlocking import unlock_collector


class _EachAlone(unlock_collector.Collector):
    """What a process with one thread is: nobody's unlock waits for anybody's turn."""

    def spend(self, call: unlock_collector.Call) -> unlock_collector.Row:
        (row,) = self._perform([call])
        return row


@pytest.fixture(autouse=True)
def _unlocks_are_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process would line up in its collector and never meet at the wallet."""

    def perform(calls: Sequence[unlock_collector.Call]) -> Sequence[unlock_collector.Row]:
        return unlock_collector.perform(calls)

    monkeypatch.setattr(unlock_collector, "process", _EachAlone(perform))
