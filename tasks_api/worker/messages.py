"""What a parent writes into the pipe that its child reads: a byte for each message."""

REGISTERED = b"r"
"""The child's row is written: it may begin."""
STOP = b"s"
"""The child is to finish its task and claim no other. A task may ignore the signal that says the same."""
HEARTBEAT = b"h"
"""The parent has reached the database."""
