"""Reports over a lake of millions of events, beside Polars by hand on the same files."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from analytics.lake import merging
from analytics.models import LakeFile
from config import clock
from tests.benchmarks.seeded_lake import DAYS, FACTS, SeededLake

REPORTS = ("retention", "funnel", "beats", "charts", "ltv")
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Timed:
    """A report's fastest run, what its process came to, and its figures."""

    seconds: float
    peak_mb: float
    figures: Mapping[str, Any]


def seed(events: int) -> int:
    """A lake of about so many events in the place of what there was; returns how many exactly."""
    _clear()
    seeded = SeededLake(events)
    seeded.write_facts(settings.DATA_DIR / FACTS)
    return seeded.write()


def compared(name: str) -> tuple[Timed, Timed]:
    """A report by us and by its peer. Raises AssertionError where they differ."""
    ours, peer = timed("ours", name), timed("polars", name)
    differing = [key for key, figure in ours.figures.items() if peer.figures.get(key, 0) != figure]
    if differing or not ours.figures:
        raise AssertionError(f"{name} differs from Polars in {differing[:5]}")
    return ours, peer


def timed(who: str, name: str) -> Timed:
    """A report in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.lake_reports", who, name]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, check=True)
    return Timed(**json.loads(done.stdout))


def compacted_rows_per_core_s(events: int) -> float:
    """Rows that merging takes from many small files into few, in a second of one core."""
    _clear()
    rows = SeededLake(events).write(files_a_day=merging.MANY)
    began = time.process_time()
    while merging.merge_next(now=clock.read()):
        pass
    spent = time.process_time() - began
    left = LakeFile.objects.filter(retired_at=None).count()
    if left >= DAYS * 2:
        raise AssertionError(f"{left} files are left of {DAYS} days")
    return rows / spent


def _clear() -> None:
    LakeFile.objects.all().delete()
    shutil.rmtree(settings.DATA_DIR / "lake", ignore_errors=True)
