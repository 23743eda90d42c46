"""Every series has a price from the first minute: eight free episodes, then 60 coins each."""

from datetime import UTC, datetime

from django.db import migrations

SINCE = datetime(2000, 1, 1, tzinfo=UTC)


def add_default_plan(apps, schema_editor):
    plan = apps.get_model("payments", "PricePlan").objects.create(
        name="Standard", is_default=True, created_at=SINCE
    )
    apps.get_model("payments", "PriceVersion").objects.create(
        plan=plan, effective_from=SINCE, free_count=8, base_price_coins=60, created_at=SINCE
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_writer_functions")]

    operations = [migrations.RunPython(add_default_plan, migrations.RunPython.noop)]
