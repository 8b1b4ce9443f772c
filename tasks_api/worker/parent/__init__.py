"""The parent process: it starts, watches and replaces the children, and runs no task."""
