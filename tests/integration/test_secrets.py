"""No secret is left behind (being written)."""
