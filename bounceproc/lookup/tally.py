"""What one listener answered since its process began, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counters."""

    questions: int = 0
    suppressed: int = 0
    troubles: int = 0
    """Answers that the declared failure mode gave."""
    malformed: int = 0
    """Requests that ended their connection."""
