"""Real mail systems look up what was written for them."""
