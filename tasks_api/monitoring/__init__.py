"""What whoever operates the service wants to know: what waits in queues, and who works."""
