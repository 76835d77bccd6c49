"""Bounce and feedback-loop processor: what a return-path mailbox says becomes a suppression list that every sender can ask."""

from pathlib import Path

from bounceproc._native import prefer_sources_if_newer

prefer_sources_if_newer(Path(__file__).parent)

__version__ = "0.1.0"
