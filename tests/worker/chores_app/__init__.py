"""An app that has chores of its own for the worker's parent, as an optional app would."""
