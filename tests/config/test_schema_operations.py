"""Migrations that draw the models once, or not at all, do what the operations in them say."""

from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from config.schema_operations import RunStatements, Together

APP = "catalog"
OWNER = migrations.CreateModel("Owner", [("id", models.AutoField(primary_key=True))])
OWNED = migrations.CreateModel(
    "Owned",
    [
        ("id", models.AutoField(primary_key=True)),
        ("owner", models.ForeignKey(f"{APP}.Owner", models.CASCADE)),
    ],
)


@pytest.fixture(autouse=True)
def as_owner_of_the_schema(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE NONE")


def forwards(operation: Operation, before: ProjectState) -> ProjectState:
    after = before.clone()
    operation.state_forwards(APP, after)
    with connection.schema_editor() as editor:
        operation.database_forwards(APP, editor, before, after)
    return after


def backwards(operation: Operation, before: ProjectState, after: ProjectState) -> None:
    with connection.schema_editor() as editor:
        operation.database_backwards(APP, editor, after, before)


def tables() -> set[str]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return {f"{APP}_owner", f"{APP}_owned"} & set(names)


def columns() -> set[str]:
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, f"{APP}_owner")
    return {column.name for column in described}


def test_tables_that_refer_to_one_another_are_made_and_taken_back_together() -> None:
    before, both = ProjectState(), Together([OWNER, OWNED])

    after = forwards(both, before)
    assert tables() == {f"{APP}_owner", f"{APP}_owned"}
    owner = after.apps.get_model(APP, "Owner").objects.create()
    after.apps.get_model(APP, "Owned").objects.create(owner=owner)
    assert owner.owned_set.count() == 1
    connection.check_constraints()

    backwards(both, before, after)
    assert tables() == set()


def test_what_is_added_to_a_table_together_is_there_in_its_order() -> None:
    before = forwards(OWNER, ProjectState())
    assert before.apps.get_model(APP, "Owner")
    checked = models.CheckConstraint(condition=models.Q(name__gt=""), name="has_a_name")
    both = Together(
        [
            migrations.AddField("Owner", "name", models.TextField(default="")),
            migrations.AddConstraint("Owner", checked),
        ]
    )

    after = forwards(both, before)
    assert columns() == {"id", "name"}
    assert after.apps.get_model(APP, "Owner")(name="x").name == "x"

    backwards(both, before, after)
    assert columns() == {"id"}


def test_the_models_are_drawn_once_for_all() -> None:
    before = ProjectState()
    assert before.apps
    after = before.clone()
    Together([OWNER, OWNED]).state_forwards(APP, after)
    assert "apps" not in vars(after)


def test_goes_back_only_if_each_of_them_does() -> None:
    assert Together([OWNER, OWNED]).reversible
    assert not Together([OWNER, migrations.RunSQL("SELECT 1")]).reversible


def test_statements_are_executed_without_any_model() -> None:
    before = ProjectState()

    def code(editor: Any) -> None:
        editor.execute(f"CREATE TABLE {APP}_owner ()")

    after = forwards(RunStatements(code), before)
    assert tables() == {f"{APP}_owner"}
    assert "apps" not in vars(before)
    assert "apps" not in vars(after)
    backwards(RunStatements(code), before, after)
    assert tables() == {f"{APP}_owner"}
