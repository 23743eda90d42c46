"""Reading events back from the inbox, where each was judged before.

The same members as in `analytics.intake.events`, read with less: an id stays the text that it is, and no
garbage collector looks at what has no references. A flush reads four times as many so.
"""

from datetime import datetime
from functools import reduce
from operator import or_
from types import NoneType
from typing import Any, get_args, get_type_hints
from uuid import UUID

import msgspec

from analytics.intake.events import TYPES, AppContext
from config.bodies import RequestShape

#: How long an id is as RFC 9562 writes it; without its hyphens it is taken, too.
UUID_CHARACTERS = 36


def _plain(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """An event's class with texts in place of ids, and without the bounds that it was judged by."""
    hints = get_type_hints(shape)
    members = [
        (field.name, _plain_type(hints[field.name]), *([] if field.required else [field.default]))
        for field in msgspec.structs.fields(shape)
    ]
    return msgspec.defstruct(
        shape.__name__,
        members,
        tag_field=shape.__struct_config__.tag_field,
        tag=shape.__struct_config__.tag,
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


def _plain_type(hint: Any) -> Any:
    if NoneType in get_args(hint):
        return reduce(or_, (_plain_type(part) for part in get_args(hint)))
    return str if hint is UUID else hint


STORED_TYPES = {name: _plain(shape) for name, shape in TYPES.items()}
_ANY: Any = reduce(or_, STORED_TYPES.values())


class StoredBatch(RequestShape):
    """A batch all of whose events were accepted."""

    batch_id: UUID
    sent_at: datetime
    app: AppContext
    events: list[_ANY]
    catalogue: int = 1


batch_decoder = msgspec.json.Decoder(StoredBatch)
event_decoder = msgspec.json.Decoder(_ANY)


def canonical(identifier: str) -> str:
    """A UUID's text as RFC 9562 writes it."""
    if len(identifier) == UUID_CHARACTERS:
        return identifier.lower()
    return str(UUID(identifier))
