"""
Optional apps: each has its own entry in `INSTALLED_APPS`; the core does not depend on them.

An app registers its additions in its `AppConfig.ready()`: resources (`http.routes`), scopes (`models`),
members of calls (`calls.members`) and of tasks (`results.members`), filters of lists
(`backends.list_filters`), work of the worker's parent (`worker.parent.chores`). It adds its fault codes
to `faults.FAULT_CODES` and its group of operations to `http.openapi.operation.TAGS`.
"""
