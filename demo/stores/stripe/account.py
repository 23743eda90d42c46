"""The one account of this Stripe: its objects, the events about them, and what was answered under which key."""

import secrets
import string
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import msgspec

from demo.stores.stripe import shapes
from demo.stores.stripe.forms import refused
from demo.stores.stripe.shapes import Body

API_VERSION = "2026-10-28.endive"
_LETTERS = string.ascii_letters + string.digits


class Answered(msgspec.Struct):
    """What was answered under an idempotency key, to what, and when."""

    request: str
    status: int
    body: str
    at: int = 0


class State(msgspec.Struct):
    """What is kept. `failing` are the subscriptions whose payments are declined from now
    on; `carts` is what each checkout sells."""

    secret_key: str
    webhook_secrets: list[str]
    webhook_url: str = ""
    objects: dict[str, Body] = {}
    events: list[Body] = []
    answered: dict[str, Answered] = {}
    failing: set[str] = set()
    carts: dict[str, dict[str, Any]] = {}
    is_live: bool = False

    @property
    def mode(self) -> str:
        """What names of keys and sessions say of the account."""
        return "live" if self.is_live else "test"


def opened(*, is_live: bool) -> State:
    """An account with keys of its own: the live one, or the one for tests."""
    state = State(secret_key="", webhook_secrets=[f"whsec_{token(32)}"], is_live=is_live)
    state.secret_key = f"sk_{state.mode}_{token(48)}"
    return state


def token(length: int) -> str:
    """Letters and digits by chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


class Account:
    """The account during one call, at `now` in seconds. What it has to tell goes out after."""

    def __init__(self, state: State, now: int) -> None:
        self.state = state
        self.now = now
        self.told: list[Body] = []

    def add(self, kind: str, prefix: str, **members: Any) -> Body:
        """A new object."""
        made = shapes.body(kind, id=f"{prefix}_{token(24)}", **members)
        if "created" in made:
            made["created"] = made["created"] or self.now
        if "livemode" in made:
            made["livemode"] = self.state.is_live
        self.state.objects[made["id"]] = made
        return made

    def find(self, kind: str, object_id: str) -> Body:
        """Raises Rejected with Stripe's 404."""
        found = self.state.objects.get(object_id)
        if found is None or found["object"] != kind:
            raise refused(f"No such {kind}: '{object_id}'", status=404, code="resource_missing")
        return found

    def every(self, kind: str) -> Sequence[Body]:
        """Newest first."""
        return [one for one in reversed(self.state.objects.values()) if one["object"] == kind]

    def tell(self, event_type: str, about: Body) -> None:
        """An event, with the object as it is at this moment."""
        event = shapes.body(
            "event",
            id=f"evt_{token(24)}",
            created=self.now,
            api_version=API_VERSION,
            type=event_type,
            data={"object": deepcopy(about)},
            livemode=self.state.is_live,
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )
        self.state.events.append(event)
        self.told.append(event)
