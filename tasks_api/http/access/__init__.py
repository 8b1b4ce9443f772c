"""Who may: authentication, scopes and rates."""
