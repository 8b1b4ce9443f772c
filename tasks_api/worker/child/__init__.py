"""A child process: it claims tasks and runs them, one after the other."""
