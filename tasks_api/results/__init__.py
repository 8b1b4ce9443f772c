"""From a stored task to its JSON: reading, listing and cancelling tasks."""
