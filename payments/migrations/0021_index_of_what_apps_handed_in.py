"""The index of what each viewer has handed in and waits, made while messages come."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0020_patience_with_stores")]

    operations = [
        AddIndexConcurrently(
            model_name="storemessage",
            index=models.Index(
                condition=models.Q(
                    ("next_attempt_at__isnull", False), ("submitted_by__isnull", False)
                ),
                fields=["submitted_by"],
                name="storemessage_handed_in",
            ),
        ),
    ]
