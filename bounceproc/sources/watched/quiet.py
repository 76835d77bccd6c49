"""When a file that somebody may still be writing is finished."""

from __future__ import annotations

import time
from typing import Final

QUIET: Final = 2.0
"""Seconds without a change after which a file is taken for finished. Who delivers by rename needs none."""
STALLED: Final = 60.0
"""Seconds after which what looks unfinished is read all the same: nothing more will come."""


def is_quiet(changed_at: float, seconds: float = QUIET) -> bool:
    """Whether a file last changed so long ago. A time in the future says nothing: clocks of file servers are wrong at times."""
    return not 0 <= time.time() - changed_at < seconds
