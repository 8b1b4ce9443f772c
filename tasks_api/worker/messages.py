"""What a parent writes into the pipe that its child reads: a byte for each message."""

REGISTERED = b"r"
"""The child's row is written: it may begin."""
STOP = b"s"
"""The child is to finish its task and claim no other. A signal that says so, a task may ignore."""
HEARTBEAT = b"h"
"""The parent has reached the database."""
