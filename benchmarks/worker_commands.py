"""How the two workers of django-tasks-db's tasks are started: `python -m django …`."""

STOCK = (
    "db_worker",
    "--queue-name=*",
    "--no-startup-delay",
    "--settings=benchmarks.stock_settings",
)
OURS = ("worker", "--settings=service.settings")
