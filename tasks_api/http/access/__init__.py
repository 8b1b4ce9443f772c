"""Access: authentication, scopes and rate limits."""
