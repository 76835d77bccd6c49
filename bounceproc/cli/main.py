"""Where the program begins, and what its errors look like."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from io import TextIOWrapper

from bounceproc.cli import delivery, quick
from bounceproc.errors import AccessError, BounceprocError, ConfigError, TemporaryError


def main() -> None:
    """Run the command line, and end with a number: the error's own, or the one that makes an MTA keep its message."""
    if delivery.is_delivery(sys.argv[1:]):
        delivery.keep_on_failure(_main)
    _main()


def _main() -> None:
    """Our own errors end with what happened, what to do and a number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to end
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
            gc.freeze()  # else Python looks through all there is before it lets go of it, for a tenth of a second
    except BounceprocError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except OSError as error:
        known = _system_error(error)
        if known is None:
            raise
        _complain(known)
        _drop_output()
        sys.exit(known.exit_code)


def _run() -> None:
    plain = quick.command(sys.argv[1:])
    if plain is not None:
        plain()
        return
    from bounceproc.cli.app import add_commands, app

    add_commands()
    app()


def _system_error(error: OSError) -> BounceprocError | None:
    """What to say where the system refuses us a file or the output; None for what nobody foresaw."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TemporaryError(f"there is no room to write{where}", "Make room and try again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessError(
            f"access was refused{where}: {error.strerror}", "Check owner and mode, or name another place."
        )
    return None


def _drop_output() -> None:
    """Python writes what is left at its end, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(error: BounceprocError) -> None:
    from bounceproc.cli.output import harmless_lines

    lines = [f"bounceproc: {error.what}"]
    if isinstance(error, ConfigError):
        lines += [f"  {problem}" for problem in error.problems]
    if error.advice:
        lines.append(f"  {error.advice}")
    sys.stderr.write(harmless_lines("\n".join(lines)) + "\n")
