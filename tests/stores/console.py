"""`python -m tests.stores.console`: what only the project's own code can say of an instance, asked line by line.

A line is a question and its arguments as a JSON array, and so is the answer a line of JSON. One
process answers all: to start one costs more than what it is asked. It runs as a process of the
instance, so that the test's own settings and database stay apart.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from tests.crash.undertaker import ROOT, Undertaker


class Console:
    """The process, seen from the test. It is started by the first question."""

    def __init__(self, environment: Mapping[str, str], *, end: Undertaker) -> None:
        self._environment = environment
        self._undertaker = end
        self._process: subprocess.Popen[bytes] | None = None

    def ledger_faults(self) -> Sequence[str]:
        """What re-adding the whole ledger finds."""
        return msgspec.json.decode(self._ask("ledger_faults"), type=list[str])

    def alarms(self) -> Sequence[str]:
        """The codes of all alarms that ring."""
        return msgspec.json.decode(self._ask("alarms"), type=list[str])

    def replay(self, message_ids: Sequence[str]) -> int:
        """Has kept messages tried again; how many."""
        return msgspec.json.decode(self._ask("replay", *message_ids), type=int)

    def close(self) -> None:
        """End it, if it was ever asked."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(timeout=30)
            self._process.stdout.close()
            self._undertaker.note("-", self._process.pid)

    def _ask(self, question: str, *arguments: str) -> bytes:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode([question, *arguments]) + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the console ended at {question}"
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.console"],
            cwd=ROOT,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._undertaker.note("+", started.pid)
        return started


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    for line in sys.stdin.buffer:
        question, *arguments = msgspec.json.decode(line, type=list[str])
        answer = _ANSWERS[question](*arguments)
        # Services die between two questions.
        connection.close()
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _ledger_faults() -> list[str]:
    from django.core.management import CommandError, call_command

    said = io.StringIO()
    try:
        call_command("verify_ledger", stdout=said)
    except CommandError as error:
        return [*said.getvalue().splitlines(), str(error)]
    return []


def _alarms() -> list[str]:
    from config import clock
    from payments.messages import alarms

    return [str(one.code) for one in alarms.ringing(now=clock.read())]


def _replay(*message_ids: str) -> int:
    from config import clock
    from payments.messages import settling

    return settling.replay([UUID(one) for one in message_ids], now=clock.read())


_ANSWERS: Mapping[str, Callable[..., Any]] = {
    "ledger_faults": _ledger_faults,
    "alarms": _alarms,
    "replay": _replay,
}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
