"""A module of tasks that cannot be imported."""

raise SystemExit("not to be imported")
