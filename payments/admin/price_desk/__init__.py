"""Where operators change prices: a draft, what it would do, a second person, and the way back."""

from payments.admin.price_desk import changes, exceptions, links, plan_rules, promotions

__all__ = ["changes", "exceptions", "links", "plan_rules", "promotions"]
