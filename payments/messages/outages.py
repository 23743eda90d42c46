"""Stores that do not answer: left alone for a while, so that the others are served meanwhile.

A circuit breaker for each store and for each of what it is asked for, since a store may tell nothing and still
listen. All processes share it by way of the cache; while that is away, every store counts as one that answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from django.core.cache import caches
from redis.exceptions import RedisError

from payments.models import Provider
from payments.providers.base import Fault, ProviderError

#: A store that has not answered so often in a row is left alone.
OUT_AFTER = 5
#: But for one that asks whether it is back.
PROBED_EVERY_SECONDS = 10
FORGOTTEN_AFTER_SECONDS = 600


class Line(StrEnum):
    """What a store is asked for."""

    HANDED_IN = "handed_in"
    MESSAGES = "messages"
    CALLS = "calls"
    SUBSCRIPTIONS = "subscriptions"


def is_failing(line: Line, provider: str) -> bool:
    """Whether it did not answer when it was asked last."""
    return _silences(line, provider) > 0


def is_out(line: Line, provider: str) -> bool:
    """Whether it has not answered for a while."""
    return _silences(line, provider) >= OUT_AFTER


def may_be_asked(line: Line, provider: str) -> bool:
    """Whether it answers, or this caller is the one that is to see whether it does again."""
    if not is_out(line, provider):
        return True
    try:
        return bool(caches["default"].add(_name(line, provider, "probe"), 1, PROBED_EVERY_SECONDS))
    except RedisError:
        return True


def answered(line: Line, provider: str) -> None:
    """It was asked, and answered."""
    try:
        caches["default"].delete_many(
            [_name(line, provider, "silences"), _name(line, provider, "probe")]
        )
    except RedisError:
        return


def silent(line: Line, provider: str) -> None:
    """It was asked, and did not answer."""
    name = _name(line, provider, "silences")
    try:
        caches["default"].add(name, 0, FORGOTTEN_AFTER_SECONDS)
        caches["default"].incr(name)
    except (RedisError, ValueError):
        return


def forget() -> None:
    """No store counts as out any more."""
    names = [
        _name(line, provider, what)
        for line in Line
        for provider in Provider.values
        for what in ("silences", "probe")
    ]
    try:
        caches["default"].delete_many(names)
    except RedisError:
        return


@contextmanager
def noted(line: Line, provider: str) -> Iterator[None]:
    """What comes of asking it inside is noted. Raises what is raised inside."""
    try:
        yield
    except ProviderError as error:
        if error.fault is Fault.UNAVAILABLE:
            silent(line, provider)
        else:
            answered(line, provider)
        raise
    else:
        answered(line, provider)


def _silences(line: Line, provider: str) -> int:
    try:
        return int(caches["default"].get(_name(line, provider, "silences"), 0))
    except RedisError:
        return 0


def _name(line: Line, provider: str, what: str) -> str:
    return f"payments:store:{provider}:{line}:{what}"
