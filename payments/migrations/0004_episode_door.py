"""One door to entitlements, for coins and for what other apps open episodes with."""

from pathlib import Path

from django.db import migrations, models

from config.schema_operations import RunStatements

FILES = ("wallet_0001.sql", "entitlement_0001.sql", "unlock_0002.sql")


def install(schema_editor):
    folder = Path(__file__).resolve().parent.parent / "sql"
    for name in FILES:
        schema_editor.execute((folder / name).read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_default_plan")]

    operations = [
        migrations.AlterField(
            model_name="entitlement",
            name="source",
            field=models.CharField(
                choices=[("coins", "Coins"), ("ad", "Rewarded ad")], max_length=20
            ),
        ),
        RunStatements(install),
    ]
