"""Query strings as ad networks send them, in the one reading that is taken."""

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from ads.networks.base import Fault, NetworkError

MAXIMUM_CHARACTERS = 8 * 1024

_PRINTABLE = re.compile(r"[!-~]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

#: A name that a network gives: of a transaction, an offer, an event.
NAME = re.compile(r"[0-9A-Za-z_.:-]{1,100}")
#: A session or a viewer as we hand them over. All of one length, so that texts in which networks join
#: them to other values without a separator can be divided in one way only.
OURS = re.compile(r"[0-9a-f]{32}")
#: A value that is not used.
ANY = re.compile(r"(?s).*")


def check_length(query_string: str) -> None:
    """Raises NetworkError for more than 8 KB."""
    if len(query_string) > MAXIMUM_CHARACTERS:
        raise NetworkError("the query is longer than 8 KB", Fault.MALFORMED)


def decoded(encoded: str) -> str:
    """Percent-decoded, `+` as a space. Raises NetworkError for what no network writes."""
    if not _PRINTABLE.fullmatch(encoded) or _BROKEN_ESCAPE.search(encoded):
        raise NetworkError("the query is not percent-encoded text", Fault.MALFORMED)
    try:
        return unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as error:
        raise NetworkError("the query is not UTF-8", Fault.MALFORMED) from error


def read(
    query_string: str,
    *,
    required: Mapping[str, re.Pattern[str]],
    optional: Mapping[str, re.Pattern[str]] | None = None,
    takes_others: bool = False,
) -> Mapping[str, str]:
    """The named parameters, each present once and of its shape. Others are refused, unless the network
    adds what its console is told to, which is dropped here. Raises NetworkError."""
    check_length(query_string)
    shapes = {**required, **(optional or {})}
    values: dict[str, str] = {}
    for pair in query_string.split("&"):
        name, _, value = (decoded(part) for part in pair.partition("="))
        if name in values:
            raise NetworkError(f"{name!r:.60} is there twice", Fault.MALFORMED)
        if name not in shapes and not takes_others:
            raise NetworkError(f"an unknown parameter: {name!r:.60}", Fault.MALFORMED)
        if not shapes.get(name, ANY).fullmatch(value):
            raise NetworkError(f"{name} is not what this network sends", Fault.MALFORMED)
        values[name] = value
    if missing := required.keys() - values.keys():
        raise NetworkError(f"missing parameters: {sorted(missing)}", Fault.MALFORMED)
    return {name: value for name, value in values.items() if name in shapes}
