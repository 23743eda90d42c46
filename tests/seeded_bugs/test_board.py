"""The board is about the code that is there."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.seeded_bugs.board import BUGS, Bug

ROOT = Path(settings.BASE_DIR)
FUNCTION = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)", re.MULTILINE)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_sown(bug: Bug) -> None:
    assert [edit.occurrences(ROOT) for edit in bug.edits] == [1] * len(bug.edits)
    assert all(edit.old != edit.new for edit in bug.edits)
    assert all((ROOT / path).is_file() for path in bug.tests)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_no_bug_is_sown_where_a_later_version_takes_its_place(bug: Bug) -> None:
    for edit in bug.edits:
        file = ROOT / edit.path
        if file.suffix == ".sql":
            text = file.read_text(encoding="utf-8")
            defined = FUNCTION.findall(text[: text.index(edit.old)])[-1:]
            assert not {*defined} & _defined_later(file), edit.path


def _defined_later(file: Path) -> set[str]:
    """The functions that later versions of a file define."""
    stem, version = file.stem.rpartition("_")[::2]
    versions = (one for one in file.parent.glob(f"{stem}_[0-9]*.sql") if version.isdigit())
    later = (one for one in versions if one.stem.rpartition("_")[2] > version)
    return {name for one in later for name in FUNCTION.findall(one.read_text(encoding="utf-8"))}


def test_every_bug_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
