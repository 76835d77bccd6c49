"""How long to wait before the next try: longer each time, never for ever, and not all at once."""

from __future__ import annotations

from typing import Final

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random_exponential

FIRST: Final = 1.0
"""Seconds before the second try, at most."""
LONGEST: Final = 300.0
"""Seconds between tries, at most: who repaired a server does not want to wait for an hour."""

# Half of it is certain, so that a server is never hammered; half is chance, so that not everybody comes back at once.
_WAIT: Final = wait_exponential(multiplier=FIRST / 2, max=LONGEST / 2) + wait_random_exponential(
    multiplier=FIRST / 2, max=LONGEST / 2
)


class Backoff:
    """The pauses of one thing that is tried again and again."""

    def __init__(self) -> None:
        self._state = RetryCallState(Retrying(), None, (), {})

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        pause = _WAIT(self._state)
        self._state.attempt_number += 1
        return pause

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._state.attempt_number = 1
