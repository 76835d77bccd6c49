"""Public keys from the DNS, remembered for a while: the only room that knows dnspython."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT: Final = 2.0
"""Seconds for one question, all servers and tries together."""
MAX_RECORD: Final = 4 * 1024
"""Octets of a record that are taken for a key."""
PAYLOAD: Final = 1232
"""Octets of an answer that come in one piece everywhere: most keys do not fit into the 512 of old."""
KEPT: Final = 1000
"""Answers that are remembered, of keys and of names without one each: who invents names pushes out no keys."""
LONGEST: Final = 3600.0
"""Seconds for which a key is remembered, however long its owner says."""
SHORTEST: Final = 60.0
NOTHING: Final = 300.0
"""Seconds for which it is remembered that a name has no key."""
SILENT: Final = 3
"""Questions in a row that nobody answered in time, after which none is asked for a while."""
REST: Final = 60.0
"""Seconds of that while, and for which a server that fails at a name is not asked for it again."""


class _Known(NamedTuple):
    record: bytes | None
    until: float


class Silence(Exception):  # noqa: N818 - the name says what it is
    """Nobody answered: whether there is a key is not known."""


class Keys:
    """Finds TXT records. Many threads may ask."""

    def __init__(
        self, nameservers: Sequence[tuple[str, int]] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`nameservers` are addresses and ports; without any, the system's own are asked."""
        self._nameservers = tuple(nameservers)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, _Known] = OrderedDict()
        self._without: OrderedDict[str, _Known] = OrderedDict()
        self._silent = 0
        self._rests_until = 0.0
        self._resolver: dns.resolver.Resolver | None = None

    def known(self, name: str) -> bool:
        """Whether the answer is remembered."""
        with self._lock:
            return self._remembered(name) is not None

    def find(self, name: str) -> bytes | None:
        """The record of a name; None where it has none, has several, or nobody answers in time."""
        with self._lock:
            known = self._remembered(name)
            if known is not None:
                return known.record
            if self._clock() < self._rests_until:
                return None
        try:
            record, ttl = self._ask(name)
        except Silence:
            self._was_silent()
            return None
        with self._lock:
            self._silent = 0
            now = self._clock()
            if record is None:
                _keep(self._without, name, _Known(None, now + ttl))
            else:
                _keep(self._keys, name, _Known(record, now + min(max(ttl, SHORTEST), LONGEST)))
        return record

    def _remembered(self, name: str) -> _Known | None:
        for answers in (self._keys, self._without):
            known = answers.get(name)
            if known is not None:
                if self._clock() < known.until:
                    answers.move_to_end(name)
                    return known
                del answers[name]
        return None

    def _was_silent(self) -> None:
        with self._lock:
            self._silent += 1
            if self._silent >= SILENT:
                self._silent = 0
                self._rests_until = self._clock() + REST

    def _ask(self, name: str) -> tuple[bytes | None, float]:
        """The one TXT record of a name, or that there is none to be had, and for how many seconds that holds.

        Raises:
            Silence: nobody answered.

        """
        try:
            answer = self._asked().resolve(f"{name}.", dns.rdatatype.TXT, lifetime=TIMEOUT, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None, NOTHING
        except (dns.exception.Timeout, dns.resolver.NoResolverConfiguration, OSError) as error:
            raise Silence from error
        except (
            dns.exception.DNSException,
            UnicodeError,
        ):  # a server that fails, and says so at once; a name that is none
            return None, REST
        records = [b"".join(record.strings) for record in answer]
        if len(records) != 1 or len(records[0]) > MAX_RECORD:  # RFC 6376 3.6.2.2: of several, none is meant
            return None, NOTHING
        return records[0], float(answer.rrset.ttl if answer.rrset is not None else 0)

    def _asked(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            resolver = dns.resolver.Resolver(configure=not self._nameservers)
            if self._nameservers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
            resolver.use_edns(0, 0, PAYLOAD)
            self._resolver = resolver
        return self._resolver


def _keep(answers: OrderedDict[str, _Known], name: str, known: _Known) -> None:
    answers[name] = known
    answers.move_to_end(name)
    while len(answers) > KEPT:
        answers.popitem(last=False)
