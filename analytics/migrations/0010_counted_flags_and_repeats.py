from django.db import migrations, models
from django.db.models.deletion import PROTECT


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0009_erased_viewers"),
        ("viewers", "0007_flags"),
    ]

    operations = [
        migrations.CreateModel(
            name="CountedFlag",
            fields=[
                (
                    "flag",
                    models.OneToOneField(
                        on_delete=PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="viewers.flag",
                    ),
                ),
                ("is_lifted", models.BooleanField()),
            ],
        ),
        migrations.CreateModel(
            name="RepeatCount",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("repeat_count", models.BigIntegerField(default=0)),
                (
                    "conflict_count",
                    models.BigIntegerField(
                        default=0, help_text="Those of them that told something else"
                    ),
                ),
            ],
        ),
    ]
