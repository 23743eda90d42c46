"""The transfer that an unlock makes, with django-hordak: row lock, balance check, transaction and legs.

Run as a program, with tests.benchmarks.hordak_settings, since it needs applications that ours does not
have. Prints transfers a second.
"""

import os
import sys
import time
from itertools import cycle

import django

WALLETS = 500
CURRENCY = "USD"
FUNDED = 1_000_000
PRICE = 60


def main(seconds: float) -> float:
    """Transfers a second of one client, each committed."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", "hordak", verbosity=0)
    wallets, unlocks = _accounts()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    for wallet in wallets[:50]:
        _transfer(wallet, unlocks)
    began, count = time.monotonic(), 0
    for wallet in cycle(wallets):
        if time.monotonic() > began + seconds:
            break
        _transfer(wallet, unlocks)
        count += 1
    return count / (time.monotonic() - began)


def _accounts():
    from django.db import transaction
    from hordak.models import Account, AccountType
    from moneyed import Money

    def account(name, kind):
        return Account.objects.create(name=name, type=kind, currencies=[CURRENCY])

    with transaction.atomic():
        store = account("store", AccountType.liability)
        unlocks = account("unlocks", AccountType.liability)
        wallets = [account(f"wallet {n}", AccountType.liability) for n in range(WALLETS)]
        for wallet in wallets:
            wallet.transfer_to(store, Money(FUNDED, CURRENCY))
    return [wallet.pk for wallet in wallets], unlocks.pk


def _transfer(wallet_id, unlocks_id):
    from django.db import transaction
    from hordak.models import Account
    from moneyed import Money

    with transaction.atomic():
        wallet = Account.objects.select_for_update().get(pk=wallet_id)
        if wallet.get_simple_balance()[CURRENCY].amount < PRICE:
            raise AssertionError("the wallet is empty")
        # hordak credits the first and debits the second: a liability grows by credit.
        Account(pk=unlocks_id).transfer_to(wallet, Money(PRICE, CURRENCY))


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.hordak_settings"
    django.setup()
    print(main(float(sys.argv[1])))  # noqa: T201
