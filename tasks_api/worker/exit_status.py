"""What a child's exit status tells its parent."""

DONE = 64
"""The child has done all that it was to do."""
REPLACE = 1
"""The child cannot go on."""
RELOAD = 65
"""The child's code has changed: it is to be replaced at once."""
