"""What was in large tables before their constraints is looked at, while everything goes on."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0017_stores")]

    operations = [
        ValidateConstraint(model_name="entry", name="payments_entry_chart"),
        ValidateConstraint(model_name="transfer", name="payments_transfer_chart"),
        ValidateConstraint(
            model_name="passpurchase", name="payments_passpurchase_covers_or_is_a_period"
        ),
    ]
