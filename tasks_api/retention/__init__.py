"""
Removing finished tasks, and rows that belong to them, after their retention period.

`expired` selects the rows, `sweep` removes one batch, `pruning` removes all batches.
"""
