"""One open session for an episode, and indexes for the days that operators look at."""

from pathlib import Path

from django.db import migrations, models

FILES = ("session_0002.sql",)


def install(apps, schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [("ads", "0002_writer_functions")]

    operations = [
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="adsession",
            index=models.Index(fields=["opened_at"], name="adsession_by_time"),
        ),
        migrations.AddIndex(
            model_name="callback",
            index=models.Index(fields=["received_at"], name="callback_by_time"),
        ),
    ]
