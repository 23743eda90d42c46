"""Where ads alone open a title, coins are not taken for it."""

from pathlib import Path

from django.db import migrations

from config.schema_operations import RunStatements

FILES = ("unlock_0005.sql", "bundle_0002.sql")


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_access_modes"),
        ("payments", "0023_what_stores_leave_open"),
    ]

    operations = [RunStatements(install)]
