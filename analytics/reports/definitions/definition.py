"""What a figure means, and what many of them rest on.

The texts follow the metric table of docs/analytics.md: numerator ÷ denominator, the window, the
moment that the window counts from, and where the facts come from.
"""

import msgspec


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What one figure means."""

    key: str
    name: str
    formula: str
    window: str
    anchor: str
    source: str

    def sentence(self) -> str:
        """The definition on one line, as CSV files and terminals print it."""
        return (
            f"{self.key} ({self.name}): {self.formula}; window: {self.window};"
            f" anchor: {self.anchor}; source: {self.source}"
        )


EVENTS = "events received before the watermark, by corrected client time"
LEDGER = "the ledger, by commit time"
PAYMENTS = f"{LEDGER}, and imported purchases, by the time that their source has"
OVER = "local day; empty until it is over before the watermark"

ACTIVE = "at least one app_open, or a stretch of at least 1 s played"
START = (
    "a viewer's first playback session of a series with at least 1 s played, once per viewer and"
    " series"
)
