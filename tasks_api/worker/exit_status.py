"""What a child's exit status tells its parent."""

DONE = 64
"""The child has done all that it was to do."""
REPLACE = 1
"""The child cannot go on."""
RELOAD = 65
"""The child's code has changed: it is to be replaced at once."""
RENEW = 66
"""The child has run as many tasks, or takes as much memory, as a process may: it is to be replaced at once."""
