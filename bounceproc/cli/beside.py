"""The process beside a poller that reads messages for it: `python -m bounceproc.cli.beside KEEP [RULE FILE...]`, pipes on both ends.

Nobody but the poller starts it, so that it is no command.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bounceproc.cli.collecting import spare_the_collector

if __name__ == "__main__":
    from bounceproc.bootstrap.flow import read_beside

    spare_the_collector()
    read_beside(sys.stdin.buffer, sys.stdout.buffer, [Path(name) for name in sys.argv[2:]], keep=sys.argv[1] == "keep")
    os._exit(0)  # the poller waits for it to be gone, and nothing of it is left to be tidied up
