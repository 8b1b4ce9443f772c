"""From a client's JSON to a stored task: checking calls, enqueueing them once, batches, retries."""
