from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0007_datasets")]

    operations = [
        migrations.CreateModel(
            name="FactExport",
            fields=[
                ("dataset", models.CharField(max_length=30, primary_key=True, serialize=False)),
                (
                    "cluster",
                    models.BigIntegerField(help_text="PostgreSQL's own name of the cluster"),
                ),
                (
                    "horizon",
                    models.BigIntegerField(help_text="The first transaction that may be missing"),
                ),
                (
                    "first_id",
                    models.UUIDField(help_text="No row that is missing has an earlier id"),
                ),
                ("row_count", models.BigIntegerField(default=0)),
                ("exported_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="LakeChore",
            fields=[
                ("name", models.CharField(max_length=30, primary_key=True, serialize=False)),
                ("done_at", models.DateTimeField()),
            ],
        ),
    ]
