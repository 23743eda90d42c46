"""The chart of accounts and the transfer codes: every way coins can move, in one place.

An account is named by wallet (or none, for the house's own accounts), account code and
environment. Amounts are signed from the holder's side: coins a viewer holds are positive in the
viewer's accounts, and the house's account on the other side shows the same number negative, so
that each transfer sums to zero. Only viewer accounts carry a balance after each entry.
"""

from django.db.models import TextChoices


class Account(TextChoices):
    # A viewer's
    PAID = "paid", "Coins bought from a store"
    BONUS = "bonus", "Coins given: with a pack, as a reward, by an operator"
    DEBT = "debt", "Coins refunded after they were spent"
    # The house's
    STORE = "store", "Issued against store purchases"
    PACK_BONUS = "pack_bonus", "Issued free with store purchases"
    UNLOCKS = "unlocks", "Spent on episodes"


VIEWER_ACCOUNTS = (Account.PAID, Account.BONUS, Account.DEBT)


class TransferCode(TextChoices):
    """Why coins moved, and between which accounts."""

    PURCHASE = "purchase", "store, pack_bonus → paid, bonus"
    UNLOCK = "unlock", "bonus, paid → unlocks"


class LotKind(TextChoices):
    PAID = "paid"
    BONUS = "bonus"


class LotOrigin(TextChoices):
    """Where a lot's coins came from."""

    PURCHASE = "purchase", "Bought"
    PACK_BONUS = "pack_bonus", "Came free with a purchase"
