"""Monitoring: waiting and running tasks by queue, and the workers."""
