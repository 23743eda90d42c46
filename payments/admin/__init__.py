"""What operators see and change of prices and money. Each module registers its own pages."""

from payments.admin import access, ledger, packs, plans, purchases, wallets

__all__ = ["access", "ledger", "packs", "plans", "purchases", "wallets"]
