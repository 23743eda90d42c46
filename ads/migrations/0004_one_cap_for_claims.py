"""A network that calls nobody has one cap and one cooldown for a viewer, over all of its placements."""

from pathlib import Path

from django.db import migrations

from config.schema_operations import RunStatements

FILES = ("session_0002.sql", "callback_0002.sql")


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("ads", "0003_more_networks"),
    ]

    operations = [
        RunStatements(install),
    ]
