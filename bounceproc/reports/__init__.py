"""Bytes in, a report out: what a message says, without a clock, a log, a socket or a database."""
