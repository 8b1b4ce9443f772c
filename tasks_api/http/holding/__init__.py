"""
Requests that are answered later, when a task has changed: waits and streams of events.

A server that can hold a request keeps its connection without a thread, and calls the application again for
the answer; see `hold`. Elsewhere the thread of the request waits.
"""
