"""Poll, process, sleep, stop."""
