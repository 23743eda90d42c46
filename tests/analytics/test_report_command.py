"""`manage.py report` over a lake of files: the same figures on the screen and in every file."""

import csv
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from openpyxl import load_workbook

from analytics import tasks
from analytics.intake import inbox
from config import clock
from tests.factories.events import app_open, body

Reported = Callable[..., str]


@pytest.fixture
def reported(
    own_lake: Path, capsys: pytest.CaptureFixture[str], transactional_db: None
) -> Reported:
    """Runs the command over a lake in which two viewers opened the app, and one did again a week later."""
    first = clock.read() - timedelta(days=20)
    anna, bert = uuid4(), uuid4()
    for viewer, at in ((anna, first), (bert, first), (anna, first + timedelta(days=7))):
        _open(viewer, at)
    tasks.flush_events()

    def run(*args: str) -> str:
        call_command("report", *args)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run


def _open(viewer: Any, at: datetime) -> None:
    inbox.receive(
        viewer_id=viewer,
        environment="production",
        body=body([app_open(at=at)], sent_at=at),
        now=at,
    )


def _figures(rows: Any) -> list[list[float | None]]:
    """Numbers of a table, without its labels."""
    return [[None if cell in ("", None) else float(cell) for cell in row[1:]] for row in rows]


def test_a_week_by_week_matrix_is_the_same_on_the_screen_and_in_every_file(
    reported: Reported, tmp_path: Path
) -> None:
    asked = ("retention", "--by", "week", "--horizon", "1")

    answer = json.loads(reported(*asked, "--format", "json"))
    screen = reported(*asked)
    for ending in ("csv", "parquet", "xlsx", "json"):
        assert reported(*asked, "--output", str(tmp_path / f"figures.{ending}")) == ""

    (cohort,) = answer["cohorts"]
    assert (cohort["viewers"], cohort["active"]) == (2, [2, 1])
    assert screen.startswith("retention_calendar")
    assert cohort["starts_on"] in screen
    expected = [[2, 2, 1], [None, 2, 1], [None, 2, 2], [None, 1, 0.5]]
    text = (tmp_path / "figures.csv").read_text(encoding="utf-8").splitlines()
    lines = [line for line in text if not line.startswith("# ")]
    sheet = load_workbook(tmp_path / "figures.xlsx")["Figures"]
    parquet = pq.read_table(tmp_path / "figures.parquet").to_pydict()
    assert _figures(list(csv.reader(lines))[1:]) == expected
    assert _figures(list(sheet.iter_rows(values_only=True))[1:]) == expected
    assert _figures(zip(*parquet.values(), strict=True)) == expected
    filed = json.loads((tmp_path / "figures.json").read_bytes())
    assert filed["cohorts"] == answer["cohorts"]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["--format", "xlsx"], 2, "--output"),
        (["--output", "figures.doc"], 2, "--format"),
        (["--horizon", "-1"], 2, "horizon"),
        (["--arm", "five"], 1, "experiment"),
        (["--output", "/nowhere/figures.csv"], 1, "cannot be written"),
    ],
)
def test_the_command_ends_with_a_status_that_says_whose_fault_it_is(
    db: None, own_lake: Path, args: list[str], status: int, said: str
) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        call_command("report", "retention", *args)

    assert refused.value.returncode == status
