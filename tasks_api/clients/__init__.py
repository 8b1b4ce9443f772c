"""Clients, their keys, and the ownership of tasks."""
