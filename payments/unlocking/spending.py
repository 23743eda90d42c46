"""How much a viewer may spend in a day before they are asked whether they mean it.

A day is one of the reporting zone. What was spent on it is on the wallet, less what was undone since, and
is read where the coins are spent, under the wallet's lock.
"""

from datetime import date, datetime

from django.conf import settings

from config.problems import Problem


class SpendConfirmationNeeded(Problem):
    """Carries `spent_today_coins`, `price_coins`, and `confirm_spend_coins`, which they come to: the
    client asks the viewer, and repeats the request with that as `confirmed_spend_coins`."""

    code = "spend_confirmation_needed"
    title = "This is much for one day: ask whether it is meant, and say so"

    @classmethod
    def of(cls, *, spent_today_coins: int, price_coins: int) -> "SpendConfirmationNeeded":
        """The refusal of a spend on top of what was spent today."""
        return cls(
            spent_today_coins=spent_today_coins,
            price_coins=price_coins,
            confirm_spend_coins=spent_today_coins + price_coins,
        )


def day_of(moment: datetime) -> date:
    """The day on which a spend at a moment counts."""
    return moment.astimezone(settings.REPORTING_ZONE).date()


def allowed_coins(*, confirmed_coins: int | None = None) -> int | None:
    """What a day may come to: the limit, or more where that was confirmed. None is any number."""
    if settings.SPEND_CONFIRM_COINS == 0:
        return None
    return max(settings.SPEND_CONFIRM_COINS, confirmed_coins or 0)
