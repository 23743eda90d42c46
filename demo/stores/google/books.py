"""What Google Play has sold, and to whom."""

from datetime import datetime

import msgspec


class Line(msgspec.Struct):
    """So many of a product, for `total_micros` together. `refunded` of them went back."""

    product_id: str
    quantity: int
    total_micros: int
    refunded: int = 0
    is_consumed: bool = False


class Purchase(msgspec.Struct, kw_only=True):
    """Something bought once. `state` is PENDING, PURCHASED or CANCELLED."""

    token: str
    order_id: str
    lines: list[Line]
    currency: str
    account: str
    profile: str
    is_test: bool
    state: str
    created_at: datetime
    completed_at: datetime | None = None
    is_acknowledged: bool = False


class Plan(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a subscription is of. Without `grace_days` a renewal that is not paid is on hold at once."""

    product_id: str
    price_micros: int
    currency: str = "USD"
    period_days: float = 30.0
    grace_days: float = 7.0
    hold_days: float = 30.0
    trial_days: float = 0.0


class Subscription(msgspec.Struct, kw_only=True):
    """`state` is Google's word without its prefix. `ends_at` is that of the grace, in grace.

    `orders` counts those that were made, `latest_order_id` is the last, and `paid_order_id` the last that was
    paid. `next_plan` is what it is to be from the next renewal on. One that `is_prorated` goes on to the end of the
    one that it replaces, for the difference.
    """

    token: str
    plan: Plan
    account: str
    is_test: bool
    state: str
    first_order_id: str
    profile: str = ""
    replaces: str = ""
    started_at: datetime | None = None
    ends_at: datetime | None = None
    orders: int = 0
    latest_order_id: str = ""
    paid_order_id: str = ""
    is_acknowledged: bool = False
    renews: bool = True
    declines: bool = False
    cancelled_by: str = ""
    cancelled_at: datetime | None = None
    pause_days: float = 0.0
    resumes_at: datetime | None = None
    held_until: datetime | None = None
    next_plan: Plan | None = None
    is_prorated: bool = False


class OrderLine(msgspec.Struct, kw_only=True):
    """`starts_at` and `ends_at` are those of a subscription's period, and None for what is bought once."""

    product_id: str
    total_micros: int
    quantity: int = 1
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_prorated: bool = False


class Part(msgspec.Struct):
    """Some of an order that went back."""

    at: datetime
    micros: int


class Order(msgspec.Struct, kw_only=True):
    order_id: str
    token: str
    currency: str
    lines: list[OrderLine]
    created_at: datetime
    processed_at: datetime | None = None
    cancelled_at: datetime | None = None
    refunded_at: datetime | None = None
    is_chargeback: bool = False
    parts: list[Part] = []

    @property
    def total_micros(self) -> int:
        return sum(line.total_micros for line in self.lines)

    @property
    def back_micros(self) -> int:
        """How much went back."""
        if self.refunded_at is not None:
            return self.total_micros
        return sum(part.micros for part in self.parts)


class Void(msgspec.Struct, frozen=True):
    """An entry of the list of voided purchases. Without `quantity` all of it went back."""

    token: str
    order_id: str
    bought_at: datetime
    at: datetime
    reason: int
    source: int
    quantity: int | None


class Question(msgspec.Struct):
    """What Google asked of a refund, and what was answered."""

    pending_token: str
    order_id: str
    asked_at: datetime
    answer: dict[str, object] | None = None


class Push(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where notifications go, and what their tokens say."""

    url: str = ""
    audience: str = "https://cliffhanger.example/stores/google"
    email: str = "play-push@cliffhanger-demo.iam.gserviceaccount.com"
    subscription: str = "projects/cliffhanger-demo/subscriptions/play"


class Books(msgspec.Struct):
    """All of it."""

    push: Push = Push()
    purchases: dict[str, Purchase] = {}
    subscriptions: dict[str, Subscription] = {}
    orders: dict[str, Order] = {}
    voided: list[Void] = []
    questions: dict[str, Question] = {}
    access_tokens: list[str] = []
    messages: int = 0
