"""Bounce and feedback-loop processor: what a return-path mailbox says becomes a suppression list that every sender can ask."""

__version__ = "0.1.0"
