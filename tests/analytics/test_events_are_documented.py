"""The page about events has what the code has: every type, every member, every code."""

import re

from analytics.intake.events import TYPES
from analytics.intake.verdicts import MEANINGS, Code
from analytics.management.commands import describe_events


def test_the_tables_are_current():
    text = describe_events.PAGE.read_text(encoding="utf-8")

    assert describe_events.page(text) == text


def test_every_type_has_a_part_and_every_member_a_row():
    text = describe_events.PAGE.read_text(encoding="utf-8")
    members = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))

    for name, shape in TYPES.items():
        assert f"### `{name}`\n" in text
        assert set(shape.__struct_fields__) <= members


def test_every_code_has_a_meaning_and_a_row():
    text = describe_events.PAGE.read_text(encoding="utf-8")

    assert set(MEANINGS) == set(Code)
    for code, meaning in MEANINGS.items():
        assert f"| `{code}` | {meaning} |\n" in text
