"""The chart of accounts and the transfer codes: every way coins can move, in one place.

An account is named by wallet (or none, for the house's own accounts), account code and
environment. Amounts are signed from the holder's side: coins a viewer holds are positive in the
viewer's accounts, and the house's account on the other side shows the same number negative, so
that each transfer sums to zero. Only viewer accounts carry a balance after each entry.

`CHART` is what `verify_ledger` holds every entry against; the migrations write it into the view
`payments_chart`, where anybody with SQL can read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices


class Account(TextChoices):
    # A viewer's
    PAID = "paid", "Coins bought from a store"
    BONUS = "bonus", "Coins given: with a pack, as a reward, by an operator"
    DEBT = "debt", "Coins refunded after they were spent"
    # The house's
    STORE = "store", "Issued against store purchases"
    PACK_BONUS = "pack_bonus", "Issued free with store purchases"
    GRANTS = "grants", "Given by operators"
    REWARDS = "rewards", "Earned by ads and tasks"
    PROMOS = "promos", "Given for promo codes"
    PERIODS = "periods", "Given with periods of subscriptions"
    UNLOCKS = "unlocks", "Spent on episodes"
    EXPIRED = "expired", "Lapsed before they were spent"
    REFUNDS = "refunds", "Taken back because the money went back"


VIEWER_ACCOUNTS = (Account.PAID, Account.BONUS, Account.DEBT)


class TransferCode(TextChoices):
    """Why coins moved."""

    PURCHASE = "purchase", "Coins bought"
    GRANT = "grant", "Coins given by an operator"
    GRANT_REVERSAL = "grant_reversal", "What is left of an operator's gift is taken back"
    REWARD = "reward", "Coins earned"
    PROMO = "promo", "Coins for a promo code"
    PERIOD = "period", "Coins that come with a subscription's period"
    PERIOD_REVERSAL = "period_reversal", "What is left of a refunded period's coins is taken back"
    UNLOCK = "unlock", "Coins spent on an episode"
    UNLOCK_REVERSAL = "unlock_reversal", "An unlock undone, its coins returned"
    EXPIRY = "expiry", "Coins lapsed"
    REFUND = "refund", "Coins taken back, since the money went back"
    REFUND_REVERSAL = "refund_reversal", "A refund that did not stand, its coins returned"
    REPAYMENT = "repayment", "Coins that a reversal had returned repay what is owed still"


@dataclass(frozen=True)
class Way:
    """The accounts that a code takes coins out of, and those it puts them into."""

    out_of: tuple[Account, ...]
    into: tuple[Account, ...]


CHART: Mapping[TransferCode, Way] = {
    TransferCode.PURCHASE: Way((Account.STORE, Account.PACK_BONUS), (Account.PAID, Account.BONUS)),
    TransferCode.GRANT: Way((Account.GRANTS,), (Account.BONUS, Account.DEBT)),
    TransferCode.GRANT_REVERSAL: Way((Account.BONUS,), (Account.GRANTS,)),
    TransferCode.REWARD: Way((Account.REWARDS,), (Account.BONUS, Account.DEBT)),
    TransferCode.PROMO: Way((Account.PROMOS,), (Account.BONUS, Account.DEBT)),
    TransferCode.PERIOD: Way((Account.PERIODS,), (Account.BONUS, Account.DEBT)),
    TransferCode.PERIOD_REVERSAL: Way((Account.BONUS,), (Account.PERIODS,)),
    TransferCode.UNLOCK: Way((Account.BONUS, Account.PAID), (Account.UNLOCKS,)),
    TransferCode.UNLOCK_REVERSAL: Way((Account.UNLOCKS,), (Account.PAID, Account.BONUS)),
    TransferCode.EXPIRY: Way((Account.BONUS,), (Account.EXPIRED,)),
    TransferCode.REFUND: Way((Account.PAID, Account.BONUS, Account.DEBT), (Account.REFUNDS,)),
    TransferCode.REFUND_REVERSAL: Way(
        (Account.REFUNDS,), (Account.PAID, Account.BONUS, Account.DEBT)
    ),
    TransferCode.REPAYMENT: Way((Account.BONUS,), (Account.DEBT,)),
}


class LotKind(TextChoices):
    PAID = "paid"
    BONUS = "bonus"


class LotOrigin(TextChoices):
    """Where a lot's coins came from."""

    PURCHASE = "purchase", "Bought"
    PACK_BONUS = "pack_bonus", "Came free with a purchase"
    GRANT = "grant", "Given by an operator"
    REWARD = "reward", "Earned"
    PROMO = "promo", "For a promo code"
    PERIOD = "period", "Came with a subscription's period"
    DEBT_RETURNED = "debt_returned", "Had repaid a debt that did not stand"


#: The value of these lots is money that a store pays out. A reward's is only attributed to titles.
REVENUE_ORIGINS = (LotOrigin.PURCHASE, LotOrigin.PACK_BONUS)
