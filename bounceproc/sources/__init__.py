"""The world that mail comes from."""
