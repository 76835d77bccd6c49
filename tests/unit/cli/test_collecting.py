"""The garbage collector rests while a process loads what it keeps, and looks seldom from then on."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from bounceproc.cli.collecting import COLLECT_EVERY, spare_the_collector, spared_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def test_it_rests_while_something_is_loaded() -> None:
    with spared_collector():
        assert not gc.isenabled()

    assert gc.isenabled()
    assert gc.get_threshold()[0] == COLLECT_EVERY
    assert gc.get_freeze_count() > 0


def test_it_goes_on_where_loading_failed() -> None:
    with pytest.raises(OSError, match="gone"), spared_collector():
        raise OSError("gone")

    assert gc.isenabled()


def test_it_looks_seldom_where_everything_is_loaded() -> None:
    spare_the_collector()

    assert gc.get_threshold()[0] == COLLECT_EVERY
