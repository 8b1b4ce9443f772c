"""Optional apps: each is installed by its own entry in `INSTALLED_APPS`; the core knows none of them."""
