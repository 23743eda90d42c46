"""Holding what the service answers against what it must."""

from collections.abc import Callable

from demo.transport import Refused


class WrongFact(Exception):
    """The service answered something else than it must; the message names the fact."""


def fact(what: str, found: object, must_be: object) -> None:
    """Raises WrongFact unless the two are equal."""
    if found != must_be:
        raise WrongFact(f"{what}: {_shown(found)}, must be {_shown(must_be)}")


def refused(what: str, call: Callable[[], object], *, status: int, code: str) -> Refused:
    """The refusal that `call` must meet. Raises WrongFact if it is another, or none."""
    try:
        answer = call()
    except Refused as refusal:
        fact(what, (refusal.status, refusal.code), (status, code))
        return refusal
    raise WrongFact(f"{what}: answered {_shown(answer)}, must be refused with {status} {code}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
