"""Runs that end in the middle, whole processes and many of them: `python -m tests.crash`."""
