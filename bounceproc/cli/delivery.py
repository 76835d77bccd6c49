"""A message that an MTA pipes into `bounceproc ingest -`: whatever stops its recording ends with "try again later".

`pipe(8)` of Postfix keeps a message on exit code 75 and returns it to its sender on nearly all others, 69, 77 and 78
included. The sender of a bounce is nobody: what is returned is lost. So a wrong configuration, which is an error of its own
everywhere else, is here a reason to keep the mail until somebody has put it right; the words on standard error say which.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from bounceproc.errors import TemporaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def is_delivery(arguments: Sequence[str]) -> bool:
    """Whether a message is to be recorded that a program feeds us; a person at a terminal gets the usual exit codes."""
    asked = "ingest" in arguments and "-" in arguments and "--dry-run" not in arguments
    return asked and (sys.stdin is None or not sys.stdin.isatty())


def keep_on_failure(run: Callable[[], None]) -> NoReturn:
    """Run to the end of the process: 0 when the message is recorded, 75 for everything else."""
    try:
        run()
    except SystemExit as end:
        sys.exit(TemporaryError.exit_code if end.code else 0)
    except BaseException:  # noqa: BLE001 - the last place where a message can be kept
        import traceback

        traceback.print_exc()
        sys.exit(TemporaryError.exit_code)
    sys.exit(0)
