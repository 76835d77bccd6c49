"""How much of the world a server of LMTP lets in at once, and for how long."""

from __future__ import annotations

from typing import Final

MAX_CONNECTIONS: Final = 100
"""Conversations at once; the next one is told to come back. Postfix opens 20 to one destination unless told otherwise."""
MAX_RECIPIENTS: Final = 1000
"""Recipients of one message (RFC 5321 section 4.5.3.1.8 asks for a hundred); more are told to come in another transaction."""
MAX_IN_FLIGHT: Final = 96 * 1024 * 1024
"""Octets of all messages that are being received or committed: one of the longest kind, and many ordinary ones."""
MAX_DRAINED: Final = 1024 * 1024 * 1024
"""Octets of one message that are read at all, most of them thrown away: no mail system sends more."""
LINE_BYTES: Final = 64 * 1024
"""Octets that are read at once; a longer line is read in pieces. Reports have lines far above the 1,000 octets of RFC 5321."""
TALK_TIMEOUT: Final = 300.0
"""Seconds between two commands, and for one whole message (RFC 5321 section 4.5.3.2 has 2 to 10 minutes for each)."""
COMMIT_TIMEOUT: Final = 600.0
"""Seconds that a client waits for its answer (RFC 5321 section 4.5.3.2.6): after that it has hung up itself."""
STOP_TIMEOUT: Final = 30.0
"""Seconds that open transactions have to end when the server is asked to stop."""
