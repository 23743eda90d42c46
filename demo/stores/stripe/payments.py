"""Payments, what goes back of them, and what banks take."""

from typing import Any

from demo.stores.stripe.account import Account, token
from demo.stores.stripe.forms import MakeRefund, refused
from demo.stores.stripe.shapes import Body, listed

_THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}
_DISPUTE_FEE = 1500


def create(account: Account, *, amount: int, currency: str, **members: Any) -> Body:
    """A payment that nobody has tried yet."""
    if amount < 1 or (currency in _THREE_DECIMALS and amount % 10):
        raise refused("Invalid amount", code="parameter_invalid_integer")
    intent = account.add(
        "payment_intent",
        "pi",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        capture_method="automatic",
        confirmation_method="automatic",
        currency=currency,
        metadata=members.pop("metadata", {}),
        payment_method_types=["card"],
        status="requires_payment_method",
        **members,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{token(24)}"
    account.tell("payment_intent.created", intent)
    return intent


def succeed(account: Account, intent: Body) -> None:
    """The money is there."""
    _check_unpaid(intent)
    charge = _charge(account, intent, status="succeeded", paid=True, captured=True)
    charge["amount_captured"] = intent["amount"]
    fee = (intent["amount"] * 29 + 500) // 1000 + 30
    charge["balance_transaction"] = _balance(
        account, "charge", charge["id"], intent["amount"], intent["currency"], fee=fee
    )["id"]
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        payment_method=f"pm_{token(24)}",
    )
    account.tell("charge.succeeded", charge)
    account.tell("payment_intent.succeeded", intent)


def process(account: Account, intent: Body) -> None:
    """A slow method has begun: `succeed` or `fail` ends it, days later."""
    _check_unpaid(intent)
    intent.update(status="processing", payment_method=f"pm_{token(24)}")
    account.tell("payment_intent.processing", intent)


def fail(account: Account, intent: Body) -> None:
    """An attempt was declined. There may be another."""
    _check_unpaid(intent)
    charge = _charge(
        account, intent, status="failed", paid=False, captured=False, failure_code="card_declined"
    )
    intent.update(
        status="requires_payment_method",
        latest_charge=charge["id"],
        last_payment_error={
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "generic_decline",
            "message": "Your card was declined.",
        },
    )
    account.tell("charge.failed", charge)
    account.tell("payment_intent.payment_failed", intent)


def cancel(account: Account, intent: Body) -> None:
    """Nobody will pay it."""
    _check_unpaid(intent)
    intent.update(status="canceled", canceled_at=account.now, cancellation_reason="abandoned")
    account.tell("payment_intent.canceled", intent)


def refund(account: Account, asked: MakeRefund) -> Body:
    """Part of a payment, or what is left of it, goes back."""
    intent = account.find("payment_intent", asked.payment_intent)
    if intent["status"] != "succeeded":
        raise refused("This PaymentIntent does not have a successful charge to refund.")
    charge = account.find("charge", intent["latest_charge"])
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise refused("The charge has been charged back.", code="charge_disputed")
    if not left:
        raise refused("The charge has been refunded.", code="charge_already_refunded")
    amount = left if asked.amount is None else asked.amount
    if not 0 < amount <= left:
        raise refused(f"Refund amount ({amount}) is greater than unrefunded amount ({left})")
    made = account.add(
        "refund",
        "re",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"card": {"type": "refund"}, "type": "card"},
        metadata=asked.metadata,
        payment_intent=intent["id"],
        reason=asked.reason,
        status="succeeded",
    )
    made["balance_transaction"] = _balance(
        account, "refund", made["id"], -amount, charge["currency"]
    )["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.tell("refund.created", made)
    account.tell("charge.refunded", charge)
    return made


def fail_refund(account: Account, made: Body) -> None:
    """The buyer's bank sent a refund back: the money is the account's again."""
    if made["status"] in {"failed", "canceled"}:
        raise refused("The refund has failed before.")
    charge = account.find("charge", made["charge"])
    balance = _balance(account, "refund_failure", made["id"], made["amount"], made["currency"])
    made.update(
        status="failed",
        failure_reason="lost_or_stolen_card",
        failure_balance_transaction=balance["id"],
    )
    charge["amount_refunded"] -= made["amount"]
    charge["refunded"] = False
    for event_type in ("refund.updated", "charge.refund.updated", "refund.failed"):
        account.tell(event_type, made)


def dispute(account: Account, intent: Body, *, amount: int | None, inquiry: bool) -> Body:
    """The buyer's bank takes a payment back, or only asks."""
    charge = account.find("charge", intent["latest_charge"])
    taken = charge["amount"] if amount is None else amount
    made = account.add(
        "dispute",
        "dp",
        amount=taken,
        charge=charge["id"],
        currency=charge["currency"],
        evidence_details={
            "due_by": account.now + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=inquiry,
        metadata={},
        payment_intent=intent["id"],
        reason="fraudulent",
        status="warning_needs_response" if inquiry else "needs_response",
    )
    if not inquiry:
        charge["disputed"] = True
        _move(account, made, -taken, fee=_DISPUTE_FEE)
    account.tell("charge.dispute.created", made)
    if not inquiry:
        account.tell("charge.dispute.funds_withdrawn", made)
    return made


def close_dispute(account: Account, made: Body, *, won: bool) -> None:
    """The bank has decided. An inquiry only closes."""
    if made["status"].startswith("warning"):
        made["status"] = "warning_closed"
    elif made["status"] != "needs_response":
        raise refused("The dispute is closed.")
    else:
        made["status"] = "won" if won else "lost"
        if won:
            account.find("charge", made["charge"])["disputed"] = False
            _move(account, made, made["amount"])
            account.tell("charge.dispute.funds_reinstated", made)
    account.tell("charge.dispute.closed", made)


def _check_unpaid(intent: Body) -> None:
    if intent["status"] in {"succeeded", "canceled"}:
        raise refused(
            f"This PaymentIntent has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )


def _charge(account: Account, intent: Body, **members: Any) -> Body:
    charge = account.add(
        "charge",
        "ch",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        **members,
    )
    charge["refunds"] = listed([], f"/v1/charges/{charge['id']}/refunds")
    return charge


def _move(account: Account, made: Body, amount: int, *, fee: int = 0) -> None:
    line = _balance(account, "adjustment", made["id"], amount, made["currency"], fee=fee)
    made["balance_transactions"] = [*made["balance_transactions"], line]


def _balance(
    account: Account, kind: str, source: str, amount: int, currency: str, *, fee: int = 0
) -> Body:
    details = {"amount": fee, "application": None, "currency": currency, "type": "stripe_fee"}
    return account.add(
        "balance_transaction",
        "txn",
        amount=amount,
        available_on=account.now + 2 * 86_400,
        balance_type="payments",
        currency=currency,
        fee=fee,
        fee_details=[details | {"description": "Stripe processing fees"}] if fee else [],
        net=amount - fee,
        reporting_category=kind,
        source=source,
        status="pending",
        type=kind,
    )
