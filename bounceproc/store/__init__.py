"""The world that remembers."""
