"""The example of docs/money.md, figure by figure."""

from datetime import datetime
from typing import Any

from django.test import Client

from catalog.models import Series
from payments.models import Entry, Lot, LotMovement, Purchase, StoreTerms, Unlock
from tests.factories.payments import PAST, fund
from tests.payments.calls import episode, unlock
from viewers.models import Device


def test_a_pack_with_bonus_and_the_first_episode_bought_with_it(
    api: Client, series: Series, device: Device, headers: Any, quote: str, now: datetime
) -> None:
    StoreTerms.objects.create(provider="fake", effective_from=PAST, fee_parts_per_million=150_000)
    fund(device.viewer_id, now=now, paid=1000, bonus=50, price_micros=9_990_000)

    bought = Purchase.objects.get()
    assert (bought.gross_micros, bought.fee_micros, bought.net_micros) == (
        9_990_000,
        1_498_500,
        8_491_500,
    )
    assert dict(Lot.objects.values_list("kind", "value_micros")) == {
        "paid": 8_087_142,
        "bonus": 404_358,
    }

    unlock(api, episode(series, 9), headers, quote=quote)

    unlocked = Unlock.objects.get()
    moved = LotMovement.objects.filter(transfer=unlocked.transfer)
    assert {m.lot.kind: (m.coins, m.value_micros) for m in moved} == {
        "bonus": (-50, -404_358),
        "paid": (-10, -80_871),
    }
    assert unlocked.value_micros == 485_229
    entries = Entry.objects.filter(transfer=unlocked.transfer)
    assert dict(entries.values_list("account", "amount_coins")) == {
        "bonus": -50,
        "paid": -10,
        "unlocks": 60,
    }
    deferred = sum(Lot.objects.values_list("remaining_value_micros", flat=True))
    assert deferred == 8_491_500 - 485_229
