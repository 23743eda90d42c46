"""The board is about the code that is there."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.seeded_bugs.board import BUGS, Bug

ROOT = Path(settings.BASE_DIR)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_still_be_sown(bug: Bug) -> None:
    assert [edit.occurrences(ROOT) for edit in bug.edits] == [1] * len(bug.edits)
    assert all(edit.old != edit.new for edit in bug.edits)
    assert all((ROOT / path).is_file() for path in bug.tests)


def test_every_bug_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
