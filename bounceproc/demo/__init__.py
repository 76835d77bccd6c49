"""The whole flow on sample mail: a real IMAP server in memory, a real poll, a real database."""
