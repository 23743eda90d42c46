"""Networks' reports are read line by line, and what is none is refused with its number."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from ads.networks.reports import reading
from ads.networks.reports.base import Found, ReportUnreadable

DAY = date(2026, 3, 12)
ADMOB = [
    {"header": {"localizationSettings": {"currencyCode": "EUR"}}},
    {
        "row": {
            "dimensionValues": {
                "DATE": {"value": "20260312"},
                "AD_UNIT": {"value": "ca-app-pub-1/22", "displayLabel": "Unlock"},
                "COUNTRY": {"value": "DE"},
            },
            "metricValues": {
                "ESTIMATED_EARNINGS": {"microsValue": "6500001"},
                "IMPRESSIONS": {"integerValue": "812"},
            },
        }
    },
    {"footer": {"matchingRowCount": "1"}},
]
MAX = {
    "code": 200,
    "results": [
        {
            "day": "2026-03-12",
            "max_ad_unit_id": "9ad0816ac071552a",
            "country": "us",
            "impressions": "12",
            "estimated_revenue": "0.0123456789",
        }
    ],
}
LEVELPLAY = [
    {
        "date": "2026-03-12",
        "mediationAdUnitId": "a1b2",
        "data": [{"revenue": 1.5, "impressions": 10, "countryCode": "BR"}],
    }
]
PANGLE = {
    "Code": "100",
    "Data": {
        "2026-03-12": [
            {"ad_slot_id": "980", "region": "jp", "show": 5, "revenue": "0.2", "currency": "usd"}
        ]
    },
}
USER_LEVEL = (
    "Date,Ad Unit ID,Ad Unit Name,Waterfall,Ad Format,Placement,Country,User ID,Revenue\n"
    "2026-03-12 10:11:12.5,9ad0816ac071552a,Unlock,Default,REWARD,,US,0199ff,0.0000012\n"
    "2026-03-12 10:11:13,9ad0816ac071552a,Unlock,Default,REWARD,,US,,1.2e-06\n"
)


def _rows(found: Found) -> list[tuple[object, ...]]:
    assert found.refusals == []
    return [
        (row.day, row.ad_unit_id, row.country, row.impressions, row.revenue_micros, row.currency)
        for row in found.rows
    ]


@pytest.mark.parametrize(
    ("network", "content", "expected"),
    [
        (
            "admob",
            msgspec.json.encode(ADMOB),
            [(DAY, "ca-app-pub-1/22", "DE", 812, Decimal(6_500_001), "EUR")],
        ),
        (
            "admob",
            "\ufeffDate\tAd unit ID\tCountry\tEst. earnings (USD)\tImpressions\n"
            "3/12/2026\tca-app-pub-1/22\t--\t$1.25\t1,200\nTotal\t\t\t1.25\t1200\n".encode(
                "utf-16-le"
            ),
            [(DAY, "ca-app-pub-1/22", "", 1200, Decimal(1_250_000), "USD")],
        ),
        (
            "applovin",
            msgspec.json.encode(MAX),
            [(DAY, "9ad0816ac071552a", "US", 12, Decimal("12345.6789"), "USD")],
        ),
        (
            "applovin",
            USER_LEVEL.encode(),
            [(DAY, "9ad0816ac071552a", "US", 1, Decimal("1.2"), "USD")] * 2,
        ),
        (
            "levelplay",
            msgspec.json.encode(LEVELPLAY),
            [(DAY, "a1b2", "BR", 10, Decimal(1_500_000), "USD")],
        ),
        (
            "unity",
            (
                b"timestamp,target_game,placement,country,start_count,revenue_sum\n"
                b"2026-03-12T00:00:00Z,1,Rewarded_Android,US,7,0.5\n"
            ),
            [(DAY, "Rewarded_Android", "US", 7, Decimal(500_000), "USD")],
        ),
        (
            "pangle",
            msgspec.json.encode(PANGLE),
            [(DAY, "980", "JP", 5, Decimal(200_000), "USD")],
        ),
        (
            "wechat",
            b"day;revenue;currency\n2026-03-12;1.5;cny\n",
            [(DAY, "", "", 0, Decimal(1_500_000), "CNY")],
        ),
    ],
)
def test_reads_what_each_network_writes(
    network: str, content: bytes, expected: list[tuple[object, ...]]
) -> None:
    assert _rows(reading.read(content, network=network)) == expected


def test_reads_any_file_whose_columns_are_named() -> None:
    content = b'When,Where,"What, net"\n20260312,us,"1,000.5"\n'
    mapping = {"day": "When", "country": "Where", "revenue": "What, net"}

    found = reading.read(content, network="douyin", currency="CNY", mapping=mapping)

    assert _rows(found) == [(DAY, "", "US", 0, Decimal(1_000_500_000), "CNY")]


def test_says_of_each_line_what_is_wrong_with_it() -> None:
    lines = [
        "day,ad_unit_id,country,impressions,revenue,currency",
        "2026-03-12,unit,US,1,0.5,USD",
        "yesterday,unit,US,1,0.5,USD",
        "2026-02-30,unit,US,1,0.5,USD",
        "2026-03-12,a unit,US,1,0.5,USD",
        "2026-03-12,unit,United States,1,0.5,USD",
        "2026-03-12,unit,US,-1,0.5,USD",
        "2026-03-12,unit,US,1,-0.5,USD",
        "2026-03-12,unit,US,1,1e9,USD",
        "2026-03-12,unit,US,1,NaN,USD",
        "2026-03-12,unit,US,1,0.5,",
        "",
        "2026-03-12,unit",
    ]

    found = reading.read("\n".join(lines).encode(), network="fake")

    assert len(found.rows) == 1
    assert [refusal.line_number for refusal in found.refusals] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 13]
    assert found.refusals[0].reason == "'yesterday' is no day."


@pytest.mark.parametrize(
    ("network", "content"),
    [
        ("fake", b""),
        ("fake", b"\x00\x01"),
        ("fake", b"\xff\xfe\x00"),
        ("fake", b"day,revenue\x00\n"),
        ("fake", b'day,revenue\n"2026-03-12'),
        ("fake", b"some,other,columns\n1,2,3\n"),
        ("fake", b"[]"),
        ("admob", b"[" * 5000),
        ("admob", b"[]"),
        ("admob", b"{}"),
        ("admob", msgspec.json.encode([ADMOB[0], ADMOB[2]])),
        ("admob", msgspec.json.encode([ADMOB[0], {"row": []}, ADMOB[2]])),
        ("applovin", b'{"code":401}'),
        ("applovin", b'{"code":200,"results":[{"day":{}}]}'),
        ("applovin", b'{"code":200,"results":[{"day":true}]}'),
        ("levelplay", b'[{"date":"2026-03-12"}]'),
        ("levelplay", b"[1]"),
        ("pangle", b'{"Code":"101","Data":{}}'),
        ("pangle", b'{"Code":"100","Data":[]}'),
        ("unity", b"[]"),
    ],
)
def test_refuses_what_is_no_report_as_a_whole(network: str, content: bytes) -> None:
    with pytest.raises(ReportUnreadable):
        reading.read(content, network=network)


def test_refuses_columns_of_no_field_and_more_than_can_be() -> None:
    with pytest.raises(ReportUnreadable, match="No fields of ours: viewer"):
        reading.read(b"day,revenue\n", network="fake", mapping={"viewer": "day"})
    with pytest.raises(ReportUnreadable, match="larger"):
        reading.read(b" " * (reading.MAXIMUM_BYTES + 1), network="fake")
