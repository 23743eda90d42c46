"""Viewers and playbacks that no figure counts."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from psycopg import sql

import config.ids
from config.schema_operations import RunStatements, Together


def narrow_grants(schema_editor):
    """What was flagged and lifted stays on record."""
    if not settings.DATABASE_ROLE:
        return
    with schema_editor.connection.cursor() as cursor:
        for statement in ("REVOKE DELETE, TRUNCATE ON viewers_flag FROM {role}",):
            cursor.execute(sql.SQL(statement).format(role=sql.Identifier(settings.DATABASE_ROLE)))


class Migration(migrations.Migration):
    dependencies = [
        ("viewers", "0005_what_stores_may_hear"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="Flag",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=config.ids.uuid7,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "viewer",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="flags",
                                to="viewers.viewer",
                            ),
                        ),
                        (
                            "playback_session_id",
                            models.UUIDField(
                                blank=True,
                                help_text="Empty: all that the viewer ever did",
                                null=True,
                            ),
                        ),
                        (
                            "reason",
                            models.CharField(
                                choices=[
                                    ("unshown_ads", "Rewarded for ads that their app never showed"),
                                    ("more_than_time", "Watched more than there was time for"),
                                    (
                                        "shared_install",
                                        "Many accounts watched on one device at once",
                                    ),
                                    ("operator", "An operator's judgement"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("detail", models.CharField(max_length=300)),
                        ("since", models.DateTimeField()),
                        ("until", models.DateTimeField()),
                        ("raised_at", models.DateTimeField()),
                        (
                            "raised_by",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("lifted_at", models.DateTimeField(null=True)),
                        (
                            "lifted_by",
                            models.ForeignKey(
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("lifted_because", models.CharField(blank=True, max_length=300)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("lifted_at", None)),
                                fields=["viewer", "playback_session_id"],
                                name="flag_live",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("lifted_at", None), ("playback_session_id", None)
                                ),
                                fields=("viewer", "reason"),
                                name="flag_once",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("lifted_at", None), ("playback_session_id__isnull", False)
                                ),
                                fields=("viewer", "playback_session_id", "reason"),
                                name="flag_of_playback_once",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("raised_by__isnull", False), ("reason", "operator")),
                                    models.Q(
                                        models.Q(("reason", "operator"), _negated=True),
                                        ("raised_by", None),
                                    ),
                                    _connector="OR",
                                ),
                                name="flag_is_somebodys",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(
                                        ("lifted_at", None),
                                        ("lifted_because", ""),
                                        ("lifted_by", None),
                                    ),
                                    models.Q(
                                        ("lifted_at__isnull", False),
                                        ("lifted_by__isnull", False),
                                        models.Q(("lifted_because", ""), _negated=True),
                                    ),
                                    _connector="OR",
                                ),
                                name="flag_is_lifted_by_somebody",
                            ),
                        ],
                    },
                ),
            ]
        ),
        RunStatements(narrow_grants),
    ]
