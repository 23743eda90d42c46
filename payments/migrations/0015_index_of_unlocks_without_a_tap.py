"""The index of unlocks without a tap, made while unlocks go on."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0014_price_desk")]

    operations = [
        AddIndexConcurrently(
            model_name="unlock",
            index=models.Index(
                condition=models.Q(("consent__isnull", False)),
                fields=["viewer", "environment", "day"],
                name="unlock_without_a_tap",
            ),
        ),
    ]
