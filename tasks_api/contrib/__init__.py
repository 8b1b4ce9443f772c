"""
Optional apps: each is installed by its own entry in `INSTALLED_APPS`; the core knows none of them.

An app registers what it adds in its `AppConfig.ready()`: resources (`http.routes`), scopes (`models`),
members of calls (`calls.members`) and of tasks (`results.members`), filters of lists
(`backends.list_filters`), work of the worker's parent (`worker.parent.chores`). It explains its codes of
faults in `faults.FAULT_CODES` and its group of operations in `http.openapi.operation.TAGS`.
"""
