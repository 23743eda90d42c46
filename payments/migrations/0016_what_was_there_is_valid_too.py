"""What was in large tables before their constraints is looked at, while everything goes on."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0015_index_of_unlocks_without_a_tap")]

    operations = [
        ValidateConstraint(model_name="entry", name="payments_entry_chart"),
        ValidateConstraint(model_name="transfer", name="payments_transfer_chart"),
        ValidateConstraint(model_name="wallet", name="payments_wallet_spent_something"),
        ValidateConstraint(model_name="unlock", name="payments_unlock_way"),
    ]
