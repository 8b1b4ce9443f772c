"""
What we add around django-tasks-db's worker, from the command down to the database.

The parent, which takes no part in the work: `supervisor` keeps the processes (`child`), `heart` tells
the database who lives, `lost` ends the tasks of those who do not.

A child: `process` runs tasks at the `pace` of the work, `claimed_task` gives each its verdict, as
`outcomes` makes it storable; `claims` sees it through whatever happens to the `connection`, by the
`transitions` of `postgresql` or `sqlite`.
"""
