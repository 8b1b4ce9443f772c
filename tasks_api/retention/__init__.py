"""
Removing what is past its time: finished tasks, and what we keep beside them.

`past_their_time` says what that is, `sweep` removes a batch of it, `pruning` goes on until all is gone.
"""
