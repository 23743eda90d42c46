"""What is handed to Stripe's adapter to sell, and what it hands back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Every:
    """How often a subscription renews."""

    interval: Literal["day", "week", "month", "year"]
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Sale:
    """What a viewer is about to buy.

    Sold at `unit_price_micros` of `currency`, with tax, for each of `quantity`; or at a price that was set up at
    Stripe, if `price_id` names one. `every` makes a subscription of it, `trial_days` begins that for nothing.
    `title` is what the buyer reads. A subscription whose plan may change is to have the price's id for its
    `store_product_id` as well: it is told under the id of the price that it has; any other name it keeps.
    """

    account_token: UUID
    intent_id: UUID
    store_product_id: str
    title: str
    unit_price_micros: int
    currency: str
    quantity: int = 1
    price_id: str = ""
    every: Every | None = None
    trial_days: int = 0


@dataclass(frozen=True, kw_only=True)
class OpenedCheckout:
    """A page of Stripe's where a buyer pays, until it expires. `session_id` is what an app hands in after."""

    session_id: str
    url: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class OpenedPayment:
    """A payment that is made in a page of ours. The secret goes to that buyer's page and nowhere else."""

    payment_intent_id: str
    client_secret: str


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """A line of the account's balance: `amount_micros` less `fee_micros` is `net_micros`, to the micro.

    `is_ours` says that we sold what it is of. `kind` is Stripe's word: charge, payment, refund, adjustment (a
    dispute), payout, stripe_fee. `transaction_id` is the money's name, "" where the line is of none. `currency` is the one that it settles in; `exchange_rate` is
    what a unit of the buyer's made of it, None when they are the same. `source_id` is the charge's, the refund's or
    the dispute's name, `source_name` what we call it, as we do a refund that we asked for, and `paid_micros` its amount in the buyer's currency, None where the line does not say.
    """

    settlement_id: str
    kind: str
    source_id: str
    source_name: str
    transaction_id: str
    is_ours: bool
    paid_micros: int | None
    paid_currency: str
    amount_micros: int
    fee_micros: int
    net_micros: int
    currency: str
    exchange_rate: Decimal | None
    occurred_at: datetime
    available_at: datetime
