"""What each resource does, with its operations beside it; `resource` is what all have in common."""
