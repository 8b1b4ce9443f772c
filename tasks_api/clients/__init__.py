"""Who calls: clients, their keys, and whose a task is."""
