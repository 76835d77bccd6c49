"""Access tokens instead of passwords, from Google and Microsoft: each provider's library has one room."""
