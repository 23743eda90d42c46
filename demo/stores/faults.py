"""How a peer fails on command."""

import re
import threading
from collections.abc import Sequence
from enum import StrEnum
from random import Random

import msgspec

from demo.stores.messages import Answer, Request

HTML = b"<!DOCTYPE html><html><body><h1>We'll be right back.</h1></body></html>"


class Kind(StrEnum):
    """STATUS answers with a status and no effect. HTML is a page with 200 in place of an answer, TRUNCATED half of
    one; both after the effect, as RESET is, where the connection ends without a word. SLOW waits first, HANG
    waits and never answers."""

    STATUS = "status"
    HTML = "html"
    TRUNCATED = "truncated"
    RESET = "reset"
    SLOW = "slow"
    HANG = "hang"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What befalls requests whose `METHOD path` the pattern finds: so often of all, and so many times at most."""

    kind: Kind
    matching: str = ""
    status: int = 503
    seconds: float = 0.0
    rate: float = 1.0
    times: int | None = None


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules at once, the first that applies first, drawn by a seed."""

    rules: Sequence[Rule] = ()
    seed: int = 0


class Faults:
    """The rules that are in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.order(Orders())

    def order(self, orders: Orders) -> None:
        """Replaces what was ordered before."""
        with self._lock:
            self._chance = Random(orders.seed)  # noqa: S311  repeatable by its seed
            self._rules = [(rule, re.compile(rule.matching)) for rule in orders.rules]
            self._left = [rule.times for rule in orders.rules]

    def drawn(self, request: Request) -> Rule | None:
        """What befalls this request."""
        named = f"{request.method} {request.path}"
        with self._lock:
            for place, (rule, pattern) in enumerate(self._rules):
                left = self._left[place]
                if left == 0 or not pattern.search(named) or self._chance.random() >= rule.rate:
                    continue
                if left is not None:
                    self._left[place] = left - 1
                return rule
        return None


def spoiled(answer: Answer, rule: Rule) -> Answer:
    """The answer as it arrives."""
    if rule.kind is Kind.HTML:
        return Answer(status=200, body=HTML, content_type="text/html; charset=utf-8")
    if rule.kind is Kind.TRUNCATED:
        return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.content_type)
    return answer
