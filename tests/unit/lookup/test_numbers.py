"""Many numbers at once: the same with numpy and without it."""

from __future__ import annotations

import random
import struct
from array import array

import pytest

from bounceproc.lookup import numbers

TOP = 2**64 - 1


@pytest.fixture(params=["numpy", "none"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With numpy, and as if it were not installed."""
    if request.param == "none":
        monkeypatch.setattr(numbers, "np", None)
    elif numbers.np is None:
        pytest.skip("numpy is not installed")


def _held(*given: int) -> memoryview:
    return memoryview(array("Q", given))


@pytest.mark.usefixtures("way")
def test_numbers_ascend_where_none_is_smaller_than_the_one_before() -> None:
    assert all(numbers.ascends(_held(*given)) for given in ((), (7,), (0, TOP), (1, 1, 2), (2**63 - 1, 2**63)))
    assert not any(numbers.ascends(_held(*given)) for given in ((TOP, 0), (1, 3, 2), (2**63, 2**63 - 1)))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("count", [0, 1, 1000, 70_000])
def test_the_bitmap_has_the_bits_of_the_numbers_and_no_other(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_AT_ONCE", 1000)  # so that some share an octet with the part before
    chance = random.Random(3)
    given = sorted({0, TOP, *(chance.getrandbits(64) for _ in range(count))})

    made = numbers.bitmap(_held(*given), 16)

    wanted = {number >> 48 for number in given}
    assert {place for place in range(1 << 16) if made[place >> 3] >> (place & 7) & 1} == wanted


@pytest.mark.usefixtures("way")
def test_those_that_are_held_are_met_wherever_they_stand() -> None:
    chance = random.Random(4)
    given = sorted({0, TOP, *(chance.getrandbits(64) for _ in range(500))})
    held = _held(*given)
    bits = memoryview(numbers.bitmap(held, 16))
    near = [given[5] + 1, TOP - 1, 1]  # the bitmap alone cannot tell
    asked = [*near, *given, *(chance.getrandbits(64) for _ in range(5000))]

    met = numbers.met(struct.pack(f">{len(asked)}Q", *asked), held, bits)

    assert met == list(range(len(near), len(near) + len(given)))
    assert numbers.met(b"", held, bits) == []
    assert numbers.met(bytes(8), _held(), memoryview(bytes(1 << 13))) == []
