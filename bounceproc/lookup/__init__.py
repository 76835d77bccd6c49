"""The world that asks."""
