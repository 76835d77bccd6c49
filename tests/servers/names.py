"""A name server for tests on a free loopback port: it knows what a dictionary says, and counts what it is asked."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST: Final = "127.0.0.1"


class NameServer:
    """Answers questions for TXT records over UDP and TCP."""

    def __init__(self, records: Mapping[str, bytes | Sequence[bytes]], *, ttl: int = 300, rcode: str = "") -> None:
        self.records = records
        self.ttl = ttl
        self.rcode = rcode
        """What is answered to every question, if not empty: `SERVFAIL`, or `silence`."""
        self.asked: list[str] = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((HOST, 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        return HOST, int(self._udp.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._udp.sendto(b"end", self.address)
        self._thread.join(5)
        self._udp.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._udp.recvfrom(4096)
            if data == b"end":
                return
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
            self.asked.append(name)
            if self.rcode != "silence":
                self._udp.sendto(self._answer(query, name).to_wire(max_size=65535), sender)

    def _answer(self, query: dns.message.Message, name: str) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found = self.records.get(name)
        if self.rcode:
            answer.set_rcode(dns.rcode.from_text(self.rcode))
        elif found is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            records = [found] if isinstance(found, bytes) else found
            texts = [
                dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, _pieces(record)) for record in records
            ]
            answer.answer.append(dns.rrset.from_rdata_list(query.question[0].name, self.ttl, texts))
        return answer


def _pieces(record: bytes) -> list[bytes]:
    return [record[at : at + 255] for at in range(0, len(record), 255)] or [b""]
