"""What Stripe is sent: forms whose names nest in brackets, `line_items[0][price_data][currency]=usd`."""

import re
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from demo.stores.messages import Answer, Rejected

Shape = TypeVar("Shape", bound=msgspec.Struct)

_NAME = re.compile(r"([A-Za-z0-9_]+)((?:\[[A-Za-z0-9_-]*\])*)")
_INSIDE = re.compile(r"\[([^\]]*)\]")


class Parameters(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every call may ask for."""

    expand: list[str] = []


class Recurring(msgspec.Struct, forbid_unknown_fields=True):
    interval: Literal["day", "week", "month", "year"]
    interval_count: int = 1


class ProductData(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class PriceData(msgspec.Struct, forbid_unknown_fields=True):
    currency: str
    unit_amount: int
    product_data: ProductData
    recurring: Recurring | None = None


class LineItem(msgspec.Struct, forbid_unknown_fields=True):
    quantity: int = 1
    price: str = ""
    price_data: PriceData | None = None


class Written(msgspec.Struct, forbid_unknown_fields=True):
    metadata: dict[str, str] = {}
    trial_period_days: int = 0


class AdaptivePricing(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool


class OpenCheckout(Parameters, kw_only=True):
    mode: Literal["payment", "subscription"]
    line_items: list[LineItem]
    success_url: str
    cancel_url: str = ""
    client_reference_id: str | None = None
    customer: str | None = None
    expires_at: int | None = None
    metadata: dict[str, str] = {}
    adaptive_pricing: AdaptivePricing | None = None
    payment_intent_data: Written | None = None
    subscription_data: Written | None = None


class Enabled(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool


class OpenPayment(Parameters, kw_only=True):
    amount: int
    currency: str
    description: str | None = None
    automatic_payment_methods: Enabled | None = None
    metadata: dict[str, str] = {}


class OpenPortal(Parameters, kw_only=True):
    customer: str
    return_url: str = ""
    configuration: str | None = None


class MakeRefund(Parameters, kw_only=True):
    payment_intent: str
    amount: int | None = None
    reason: str | None = None
    metadata: dict[str, str] = {}


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gt: int = -1
    gte: int = 0
    lt: int = 2**62
    lte: int = 2**62

    def holds(self, moment: int) -> bool:
        return self.gt < moment < self.lt and self.gte <= moment <= self.lte


class PaymentFilter(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["payment_intent"]
    payment_intent: str = ""


class Listing(Parameters, kw_only=True):
    """A list's filters. What a list cannot be filtered by, its caller does not send."""

    limit: int = 10
    starting_after: str = ""
    created: Span = Span()
    payment_intent: str = ""
    subscription: str = ""
    invoice: str = ""
    status: str = ""
    type: str = ""
    payment: PaymentFilter | None = None


def read(text: bytes, shape: type[Shape]) -> Shape:
    """A form or a query as a shape. Raises Rejected with Stripe's 400."""
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, strict_parsing=bool(text))
        return msgspec.convert(_nested(pairs), shape, strict=False)
    except (ValueError, TypeError, LookupError) as error:
        raise refused(f"Received unknown or invalid parameters: {error}") from error


def refused(message: str, *, status: int = 400, code: str = "", kind: str = "") -> Rejected:
    """Stripe's error object."""
    error = {"type": kind or "invalid_request_error", "message": message}
    return Rejected(Answer.of({"error": error | ({"code": code} if code else {})}, status=status))


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{name!r} is no parameter")
        *path, last = [match[1], *_INSIDE.findall(match[2])]
        place = root
        for step in path:
            place = place.setdefault(step, {})
        place[last or str(len(place))] = value
    return {name: _as_lists(value) for name, value in root.items()}


def _as_lists(value: Any) -> Any:
    """Numbered members as a list in their order."""
    if not isinstance(value, dict):
        return value
    inner = {name: _as_lists(member) for name, member in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
