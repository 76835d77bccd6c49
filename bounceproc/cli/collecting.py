"""How often a process that reads much mail looks for garbage."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECT_EVERY: Final = 50_000
"""Objects that more are made than freed before the garbage collector looks for circles."""


def spare_the_collector() -> None:
    """Keep the garbage collector from what it will not find.

    Modules and rules stay to the end, and a message's objects refer to each other one way and go with their last name. Only
    the email package, which few messages need, leaves circles: some hundred a message, found a little later.
    """
    gc.collect()
    _freeze()


@contextmanager
def spared_collector() -> Iterator[None]:
    """The same behind a block that does nothing but load modules and rules, and need not be looked through either."""
    gc.disable()
    try:
        yield
    finally:
        _freeze()
        gc.enable()


def _freeze() -> None:
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 10, 10)
