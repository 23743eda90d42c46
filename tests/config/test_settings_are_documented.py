"""Every variable that configures the service is on the configuration page, in every mode alike."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config.management.commands import describe_settings
from config.settings import env

SETTINGS = Path(settings.BASE_DIR) / "config" / "settings.py"
#: Django's own way to find the settings, the shell's search path, and the folder that tools of the
#: embedded services and the demo are given before there are settings to read.
READ_ELSEWHERE = frozenset({"DJANGO_SETTINGS_MODULE", "PATH", "DATA_DIR"})
APPS = ("config", "viewers", "catalog", "payments")


def test_the_page_is_current() -> None:
    assert describe_settings.PAGE.read_text(encoding="utf-8") == describe_settings.page()


def test_the_page_lists_every_variable_with_what_it_is() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (.*?) \| (.+?) \|$", describe_settings.page(), re.MULTILINE
    )

    assert [name for name, *_ in rows] == list(env.declared)
    assert all(help_text.endswith(".") for *_, help_text in rows)


def test_settings_read_the_environment_through_declarations_alone() -> None:
    tree = ast.parse(SETTINGS.read_text(encoding="utf-8"))
    reads = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ"
    ]

    assert reads == ["os.environ"]
    assert "env = Environment(os.environ)" in ast.unparse(tree).splitlines()


def test_no_other_module_reads_a_variable_of_its_own() -> None:
    found = set()
    for app in APPS:
        for file in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            if file != SETTINGS:
                found |= set(_read_by_name(file.read_text(encoding="utf-8")))

    assert found <= READ_ELSEWHERE


def _read_by_name(code: str) -> list[str]:
    patterns = (r'environ(?:\.get|\.setdefault)?[\[(]"(\w+)"', r'getenv\("(\w+)"')
    return [name for pattern in patterns for name in re.findall(pattern, code)]


@pytest.mark.parametrize("mode", ["production", "demo"])
def test_the_page_is_the_same_in_another_mode(mode: str, tmp_path: Path) -> None:
    given = {
        "APP_MODE": mode,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgresql:///none",
        "REDIS_URL": "redis://none",
        "SECRET_KEY": "x" * 50,
    }
    code = (
        "from config.management.commands import describe_settings\n"
        "print(describe_settings.page(), end='')\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "config.settings", **given},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == describe_settings.page()
