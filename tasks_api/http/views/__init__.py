"""The resources, each with its operations; `resource` is the base of all."""
