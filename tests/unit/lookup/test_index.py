"""An index answers yes for every key of the list, and a snapshot of it is taken whole or not at all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bounceproc.lookup import snapshot
from bounceproc.lookup.index import Index, number
from bounceproc.lookup.snapshot import Snapshot
from bounceproc.ports import Place

if TYPE_CHECKING:
    from pathlib import Path

PLACE = Place(42, b"m" * 16)


def _prefixes(count: int, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    return sorted(chance.randbytes(8) for _ in range(count))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000, 20_000])
def test_every_key_is_found_and_hardly_another(count: int) -> None:
    prefixes = _prefixes(count)
    index = Index.of([b"".join(prefixes[:500]), b"".join(prefixes[500:])])

    assert len(index) == count
    assert all(number(prefix) in index for prefix in prefixes)
    assert not any(number(prefix) in index for prefix in set(_prefixes(1000, seed=2)) - set(prefixes))


def test_the_ends_of_the_range_are_keys_like_others() -> None:
    index = Index.of([bytes(8), b"\xff" * 8])

    assert 0 in index
    assert 2**64 - 1 in index
    assert 1 not in index
    assert 2**64 - 2 not in index


def test_keys_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Index.of([b"\2" * 8 + b"\1" * 8])
    with pytest.raises(ValueError, match="ascend"):
        Index.of([b"\2" * 8, b"\1" * 8])


def test_ten_octets_a_key_hold_the_index() -> None:
    index = Index.of([b"".join(_prefixes(100_000))])

    assert index.keys.nbytes + index.bitmap.nbytes <= 12 * 100_000


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    prefixes = _prefixes(3000)
    path = tmp_path / "index"
    snapshot.write(path, Snapshot(Index.of([b"".join(prefixes)]), PLACE), "0123abcd")

    found = snapshot.read(path, "0123abcd")

    assert found is not None
    assert found.place == PLACE
    assert all(number(prefix) in found.index for prefix in prefixes)
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]
    assert path.stat().st_mode & 0o077 == 0


def test_another_peppers_snapshot_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "index"
    snapshot.write(path, Snapshot(Index.of([bytes(8)]), PLACE), "0123abcd")

    assert snapshot.read(path, "0123abce") is None


def test_a_damaged_snapshot_is_not_taken_wherever_the_damage_is(tmp_path: Path) -> None:
    path = tmp_path / "index"
    snapshot.write(path, Snapshot(Index.of([b"".join(_prefixes(50))]), PLACE), "0123abcd")
    whole = path.read_bytes()

    for place in (0, 20, 33, 41, 49, 57, 65, 130, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert snapshot.read(path, "0123abcd") is None or 72 <= place < 128, place
    for length in (0, 1, 127, 128, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert snapshot.read(path, "0123abcd") is None, length
    assert snapshot.read(tmp_path / "none", "0123abcd") is None
