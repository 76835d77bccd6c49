"""Errors: each says what happened and what to do, ends with its number, and knows whether trying again helps."""

from __future__ import annotations

import pickle

import pytest

from bounceproc import errors
from bounceproc.errors import BounceprocError, ConfigError, InvalidAddressError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BounceprocError)]


@pytest.mark.parametrize(
    ("name", "exit_code", "retry"),
    [
        ("UsageError", 2, False),
        ("InvalidAddressError", 2, False),
        ("MalformedReportError", 65, False),
        ("BadDataError", 65, False),
        ("UnavailableError", 69, True),
        ("TemporaryError", 75, True),
        ("AccessError", 77, False),
        ("ConfigError", 78, False),
        ("SchemaError", 78, False),
    ],
)
def test_each_error_ends_with_the_documented_number(name: str, exit_code: int, retry: bool) -> None:
    error = getattr(errors, name)

    assert (error.exit_code, error.retry) == (exit_code, retry)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_is_one_of_ours_with_a_number_that_scripts_know(error: type[BounceprocError]) -> None:
    assert error.exit_code in {1, 2, 65, 69, 75, 77, 78}
    assert error.retry is (error.exit_code in {69, 75})
    assert error.__doc__


def test_an_error_says_what_happened_and_then_what_to_do() -> None:
    error = BounceprocError("the door is locked", "Take the key.")

    assert (error.what, error.advice) == ("the door is locked", "Take the key.")
    assert str(error) == "the door is locked. Take the key."
    assert str(BounceprocError("the door is locked")) == "the door is locked"


def test_a_configuration_names_all_its_problems() -> None:
    assert ConfigError("it is wrong", problems=("a", "b")).problems == ("a", "b")
    assert ConfigError("it is wrong").problems == ()


def test_a_hostile_text_that_is_no_address_is_cut_and_escaped() -> None:
    error = InvalidAddressError("\x1b[31m" + "x" * 500, "it is none")

    assert "\x1b" not in str(error)
    assert len(str(error)) < 150
    assert error.address.startswith("\x1b")


@pytest.mark.parametrize(
    "error",
    [BounceprocError("what", "advice"), ConfigError("what", "advice", ("one",)), InvalidAddressError("a b", "no @")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_back_from_a_worker_process(error: BounceprocError) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
