"""The members that Stripe's objects have, by Stripe's own fixtures: no object has others, and each has all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Body = dict[str, Any]

_FIXTURES: Mapping[str, Body] = json.loads(
    (Path(__file__).parent / "openapi_fixtures3_subset.json").read_text(encoding="utf-8")
)
_TEMPLATES: Mapping[str, Body] = {
    **_FIXTURES,
    "line_item": _FIXTURES["invoice"]["lines"]["data"][0],
}
#: In the API's description and not in its fixtures, which leave out what may be absent.
_OPTIONAL: Mapping[str, frozenset[str]] = {
    "refund": frozenset({"failure_balance_transaction", "failure_reason"}),
}


def body(kind: str, **members: Any) -> Body:
    """An object of a kind: what is not given is empty. Raises ValueError for a member that Stripe's has not."""
    template = _TEMPLATES[kind]
    if stray := set(members) - set(template) - _OPTIONAL.get(kind, frozenset()):
        raise ValueError(f"{kind} has no {sorted(stray)}")
    return {name: _empty(value) for name, value in template.items()} | {"object": kind} | members


def listed(data: list[Body], url: str, *, has_more: bool = False) -> Body:
    """A list as Stripe answers it."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _empty(example: Any) -> Any:
    if isinstance(example, bool):
        return False
    return [] if isinstance(example, list) else None
