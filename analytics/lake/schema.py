"""The columns of an event in the lake.

Ids are lower-case text. Moments are microseconds of UTC, written without a zone: DuckDB computes
with zoned ones only through its ICU extension, which its wheel lacks. DuckDB reads them as TIMESTAMP
and Spark as TIMESTAMP_NTZ. A column that an event's type does not have is null.
"""

from collections.abc import Mapping

import pyarrow as pa

MOMENT = pa.timestamp("us")

EVENT_SCHEMA = pa.schema(
    [
        # What happened, and to whom
        ("event_id", pa.string()),
        ("type", pa.string()),
        ("viewer_id", pa.string()),
        ("environment", pa.string()),
        # When: corrected, and the three readings it was corrected from (metrics.md, Conventions)
        ("occurred_at", MOMENT),  # received − (sent − created)
        ("created_at", MOMENT),
        ("sent_at", MOMENT),
        ("received_at", MOMENT),
        # Through which app
        ("platform", pa.string()),
        ("app_version", pa.string()),
        ("locale", pa.string()),
        ("country", pa.string()),
        # Of the event itself
        ("channel", pa.string()),
        ("campaign", pa.string()),
        ("playback_session_id", pa.string()),
        ("series_id", pa.string()),
        ("episode_id", pa.string()),
        ("version_id", pa.string()),
        ("decision_id", pa.string()),
        ("slot", pa.int32()),
        ("visible_ms", pa.int32()),
        ("position_ms", pa.int32()),
        ("from_ms", pa.int32()),
        ("to_ms", pa.int32()),
        ("actual_ms", pa.int32()),
        ("first_frame_ms", pa.int32()),
        ("reason", pa.string()),
        ("price_coins", pa.int64()),
        ("placement", pa.string()),
        ("ad_session_id", pa.string()),
        # Which batch brought it
        ("batch_id", pa.string()),
        # Since the second version
        ("arrived_at", MOMENT),  # when its flush began, by the database's clock
        ("catalogue", pa.int32()),  # the version that the client stated
        ("height_px", pa.int32()),
        ("bitrate_kbps", pa.int32()),
        ("product_id", pa.string()),
        ("intent_id", pa.string()),
        # Found out at the flush: analytics.lake.watching, and of the clocks
        ("story_ms", pa.int32()),
        ("furthest_percent", pa.int32()),
        ("episode_number", pa.int32()),
        ("opened_by", pa.string()),
        ("is_late", pa.bool_()),
        ("is_ahead", pa.bool_()),
    ]
)

#: By the version of the columns that they came with. A file of an earlier one has none of them.
ADDED_COLUMNS: Mapping[int, tuple[str, ...]] = {
    2: (
        "arrived_at",
        "catalogue",
        "height_px",
        "bitrate_kbps",
        "product_id",
        "intent_id",
        "story_ms",
        "furthest_percent",
        "episode_number",
        "opened_by",
        "is_late",
        "is_ahead",
    )
}
