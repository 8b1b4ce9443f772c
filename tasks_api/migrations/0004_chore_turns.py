# ruff: noqa: RUF012 -- as Django writes migrations
from django.db import migrations


class Migration(migrations.Migration):
    """The model has another name; its table stays."""

    dependencies = [
        ("tasks_api", "0003_chores"),
    ]

    operations = [
        migrations.AlterModelTable(name="Chore", table="tasks_api_chore"),
        migrations.RenameModel(old_name="Chore", new_name="ChoreTurn"),
    ]
