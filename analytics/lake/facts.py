"""Facts of money beside the events: what the ledger and its books say, as files of the lake.

Reports of this service read the tables themselves. These files are for who has the lake and no database,
as a cluster; a viewer has the id there that the ledger knows, erased or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from analytics.lake.datasets import EVENTS, Dataset
from analytics.lake.schema import MOMENT


@dataclass(frozen=True)
class Fact:
    """A dataset, and the SELECT of its columns; `fact` is the table whose rows they are, added once
    and never changed in what is selected.

    Where `may_repeat`, something else of a row changes later, and the row is exported once more: readers
    take distinct rows.
    """

    dataset: Dataset
    select: str
    may_repeat: bool


def _fact(name: str, select: str, *, may_repeat: bool = False, **columns: pa.DataType) -> Fact:
    key = next(iter(columns))
    schema = pa.schema([*columns.items(), ("created_at", MOMENT)])
    dataset = Dataset(
        name=name,
        folder=f"facts/{name}",
        schema=schema,
        key=key,
        moment="created_at",
        order=("created_at", key),
    )
    return Fact(dataset, select, may_repeat)


_TEXT, _WHOLE = pa.string(), pa.int64()

_FACTS = (
    _fact(
        "ledger_entries",
        """
        SELECT fact.id::text, transfer.id::text, transfer.reverses_id::text,
               transfer.viewer_id::text, fact.environment, transfer.code, fact.account,
               fact.amount_coins, transfer.event_at AT TIME ZONE 'UTC',
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_entry AS fact
        JOIN payments_transfer AS transfer ON transfer.id = fact.transfer_id
        """,
        entry_id=_TEXT,
        transfer_id=_TEXT,
        reverses_transfer_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        code=_TEXT,
        account=_TEXT,
        amount_coins=_WHOLE,
        event_at=MOMENT,
    ),
    _fact(
        "unlocks",
        """
        SELECT fact.id::text, fact.transfer_id::text, fact.viewer_id::text, fact.environment,
               episode.series_id::text, fact.episode_id::text, fact.way, fact.price_coins,
               fact.paid_coins, fact.bonus_coins, fact.value_micros, fact.attribution_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_unlock AS fact
        JOIN catalog_episode AS episode ON episode.id = fact.episode_id
        """,
        unlock_id=_TEXT,
        transfer_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        series_id=_TEXT,
        episode_id=_TEXT,
        way=_TEXT,
        price_coins=_WHOLE,
        paid_coins=_WHOLE,
        bonus_coins=_WHOLE,
        value_micros=_WHOLE,
        attribution_micros=_WHOLE,
    ),
    _fact(
        "unlock_corrections",
        """
        SELECT fact.id::text, fact.unlock_id::text, fact.transfer_id::text, spent.environment,
               fact.coins, fact.value_micros, fact.attribution_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_unlockcorrection AS fact
        JOIN payments_unlock AS spent ON spent.id = fact.unlock_id
        """,
        correction_id=_TEXT,
        unlock_id=_TEXT,
        transfer_id=_TEXT,
        environment=_TEXT,
        coins=_WHOLE,
        value_micros=_WHOLE,
        attribution_micros=_WHOLE,
    ),
    _fact(
        "purchases",
        """
        SELECT fact.id::text, fact.transfer_id::text, fact.viewer_id::text, fact.environment,
               fact.provider, fact.pack_id::text, fact.paid_coins, fact.bonus_coins, fact.currency,
               fact.gross_micros, fact.tax_micros, fact.fee_micros, fact.net_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_purchase AS fact
        """,
        purchase_id=_TEXT,
        transfer_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        provider=_TEXT,
        product_id=_TEXT,
        paid_coins=_WHOLE,
        bonus_coins=_WHOLE,
        currency=_TEXT,
        gross_micros=_WHOLE,
        tax_micros=_WHOLE,
        fee_micros=_WHOLE,
        net_micros=_WHOLE,
    ),
    _fact(
        "pass_purchases",
        """
        SELECT fact.id::text, fact.viewer_id::text, fact.environment, fact.provider,
               fact.currency, fact.gross_micros, fact.tax_micros, fact.fee_micros, fact.net_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_passpurchase AS fact
        """,
        may_repeat=True,
        pass_purchase_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        provider=_TEXT,
        currency=_TEXT,
        gross_micros=_WHOLE,
        tax_micros=_WHOLE,
        fee_micros=_WHOLE,
        net_micros=_WHOLE,
    ),
    _fact(
        "refunds",
        """
        SELECT fact.id::text, fact.purchase_id::text, fact.transfer_id::text, purchase.environment,
               fact.gross_micros, fact.tax_micros, fact.fee_micros, fact.net_micros,
               fact.deferred_micros, fact.recognised_micros, fact.difference_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_refundbooking AS fact
        JOIN payments_purchase AS purchase ON purchase.id = fact.purchase_id
        """,
        refund_booking_id=_TEXT,
        purchase_id=_TEXT,
        transfer_id=_TEXT,
        environment=_TEXT,
        gross_micros=_WHOLE,
        tax_micros=_WHOLE,
        fee_micros=_WHOLE,
        net_micros=_WHOLE,
        deferred_micros=_WHOLE,
        recognised_micros=_WHOLE,
        difference_micros=_WHOLE,
    ),
    _fact(
        "pass_refunds",
        """
        SELECT fact.id::text, fact.purchase_id::text, purchase.environment,
               fact.gross_micros, fact.tax_micros, fact.fee_micros, fact.net_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM payments_passrefundbooking AS fact
        JOIN payments_passpurchase AS purchase ON purchase.id = fact.purchase_id
        """,
        refund_booking_id=_TEXT,
        pass_purchase_id=_TEXT,
        environment=_TEXT,
        gross_micros=_WHOLE,
        tax_micros=_WHOLE,
        fee_micros=_WHOLE,
        net_micros=_WHOLE,
    ),
    _fact(
        "fee_adjustments",
        """
        SELECT fact.id::text, fact.purchase_id::text, fact.pass_purchase_id::text,
               fact.environment, fact.difference_micros, fact.created_at AT TIME ZONE 'UTC'
        FROM payments_feeadjustment AS fact
        """,
        adjustment_id=_TEXT,
        purchase_id=_TEXT,
        pass_purchase_id=_TEXT,
        environment=_TEXT,
        difference_micros=_WHOLE,
    ),
    _fact(
        "entitlements",
        """
        SELECT fact.id::text, fact.viewer_id::text, fact.environment, fact.series_id::text,
               fact.episode_id::text, fact.source, fact.starts_at AT TIME ZONE 'UTC'
        FROM payments_entitlement AS fact
        """,
        may_repeat=True,
        entitlement_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        series_id=_TEXT,
        episode_id=_TEXT,
        source=_TEXT,
    ),
    _fact(
        "rewards",
        """
        SELECT fact.id::text, fact.session_id::text, fact.viewer_id::text, fact.environment,
               fact.network, fact.series_id::text, fact.episode_id::text, fact.revenue_micros,
               fact.created_at AT TIME ZONE 'UTC'
        FROM ads_reward AS fact
        """,
        reward_id=_TEXT,
        ad_session_id=_TEXT,
        viewer_id=_TEXT,
        environment=_TEXT,
        network=_TEXT,
        series_id=_TEXT,
        episode_id=_TEXT,
        revenue_micros=_WHOLE,
    ),
)

FACTS: Mapping[str, Fact] = {fact.dataset.name: fact for fact in _FACTS}
DATASETS: Mapping[str, Dataset] = {
    EVENTS.name: EVENTS,
    **{name: fact.dataset for name, fact in FACTS.items()},
}
