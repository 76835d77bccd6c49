"""Poll, process, settle, stop: what runs, once or for years."""
