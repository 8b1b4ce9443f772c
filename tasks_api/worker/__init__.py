"""
What we add around django-tasks-db's worker.

`parent` is the process that the command starts, which runs no task; `child` are the processes that do.
Both write the `journal`, hold their `connection` through whatever happens to it, and may end the tasks
of a worker that is `lost`.
"""
