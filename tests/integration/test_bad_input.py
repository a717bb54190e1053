"""Bad input is refused (being written)."""
