"""Everything that can go wrong, what to do about it, and whether trying again helps."""

from __future__ import annotations

from typing import ClassVar


class BounceprocError(Exception):
    """The root: a sentence that says what happened, and one that says what to do."""

    exit_code: ClassVar[int] = 1
    """What the command line ends with (sysexits.h where it has a number)."""
    retry: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""

    def __init__(self, what: str, advice: str = "") -> None:
        self.what = what
        self.advice = advice
        super().__init__(f"{what}. {advice}" if advice else what)


class UsageError(BounceprocError):
    """The command line asks for what cannot be."""

    exit_code = 2


class ConsentError(UsageError):
    """A recipient's own wish is to be overruled, and nobody says that the recipient took it back."""


class InvalidAddressError(BounceprocError):
    """A text that is no e-mail address. The text itself stays in `address`: it may be hostile."""

    exit_code = 2

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        self.why = why
        super().__init__(f"{address[:80]!r} is no e-mail address: {why}")

    def __reduce__(self) -> tuple[type[InvalidAddressError], tuple[str, str]]:
        return (type(self), (self.address, self.why))


class MalformedReportError(BounceprocError):
    """A message that says it is a report and cannot be read as one."""

    exit_code = 65


class BadDataError(BounceprocError):
    """An input file whose content is not what was asked for."""

    exit_code = 65


class UnavailableError(BounceprocError):
    """A server does not answer, or ended the conversation."""

    exit_code = 69
    retry = True


class FullError(UnavailableError):
    """A server answers, and has no room for what was to be put there: whatever needs none goes on."""


class TemporaryError(BounceprocError):
    """Somebody else holds what we need, or a part of the work has to be done again."""

    exit_code = 75
    retry = True


class AccessError(BounceprocError):
    """A server answers and refuses us: wrong password, missing right."""

    exit_code = 77


class ConfigError(BounceprocError):
    """The configuration is wrong, or does not fit the database. `problems` has one line for each wrong place."""

    exit_code = 78

    def __init__(self, what: str, advice: str = "", problems: tuple[str, ...] = ()) -> None:
        self.problems = problems
        super().__init__(what, advice)


class SchemaError(ConfigError):
    """The database is older or newer than this program."""
