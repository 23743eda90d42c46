"""What operators see and change of prices and money. Each module registers its own pages."""

from payments.admin import access, days, ledger, packs, plans, purchases, wallets

__all__ = ["access", "days", "ledger", "packs", "plans", "purchases", "wallets"]
