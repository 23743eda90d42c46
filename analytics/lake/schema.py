"""The columns of an event in the lake.

Ids are lower-case text. Moments are microseconds of UTC, written without a zone: DuckDB computes
with zoned ones only through its ICU extension, which its wheel lacks. DuckDB reads them as TIMESTAMP
and Spark as TIMESTAMP_NTZ. A column that an event's type does not have is null.
"""

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
        # Which batch brought it, and when its flush began, by the database's clock
        ("batch_id", pa.string()),
        ("arrived_at", MOMENT),
    ]
)
