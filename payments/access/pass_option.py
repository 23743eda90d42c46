"""A pass as a way past the paywall."""

from typing import ClassVar

from payments.access.paywall import Paywall, PaywallOption
from payments.models.offer_choices import Means
from payments.store import passes
from payments.store.passes import PassOffer


class SubscriptionOption(PaywallOption, tag="subscription"):
    """Buy one of these: while it lasts, every episode of every series opens without coins."""

    means: ClassVar[Means] = Means.SUBSCRIPTION

    passes: list[PassOffer]


def subscription_option(paywall: Paywall) -> SubscriptionOption | None:
    """The passes on sale, while anything is locked: whoever is covered is sold nothing."""
    if paywall.next_locked is None:
        return None
    on_sale = [passes.offer(product) for product in passes.on_sale()]
    return SubscriptionOption(passes=on_sale) if on_sale else None
