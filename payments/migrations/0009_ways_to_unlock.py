"""What a version asks for the rest of a series at once, and for an episode for a time."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0008_unlock_at_an_adjusted_price"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="priceversion",
            name="bundle_adjustment",
            field=models.OneToOneField(
                editable=False,
                help_text="How every episode's price differs when the rest of the series is bought at once",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bundle_of",
                to="payments.priceadjustment",
            ),
        ),
        migrations.AddField(
            model_name="priceversion",
            name="rental_adjustment",
            field=models.OneToOneField(
                editable=False,
                help_text="How an episode's price differs when it is rented",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rental_of",
                to="payments.priceadjustment",
            ),
        ),
        migrations.AddField(
            model_name="priceversion",
            name="rental_seconds",
            field=models.PositiveIntegerField(
                editable=False, help_text="How long a rented episode stays open", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="priceversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rental_adjustment", None), ("rental_seconds", None)),
                    models.Q(
                        ("rental_adjustment__isnull", False),
                        ("rental_seconds__gte", 3600),
                        ("rental_seconds__lte", 2592000),
                    ),
                    _connector="OR",
                ),
                name="payments_priceversion_rental",
            ),
        ),
    ]
