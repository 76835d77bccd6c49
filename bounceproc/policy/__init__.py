"""From an address's history to a verdict: arithmetic on values."""
