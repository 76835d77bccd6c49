"""One connection of a mail server that asks about addresses, in whichever words its protocol has for question and answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bounceproc.errors import BounceprocError, InvalidAddressError
from bounceproc.lookup.bulk.normal import normal_form
from bounceproc.lookup.conversation import Conversation
from bounceproc.lookup.replies import refusal

if TYPE_CHECKING:
    from bounceproc.lookup.desk import Desk, Question
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally
    from bounceproc.ports import Suppression


class Asking(Conversation):
    """What the protocols say is `unknown`, `trouble` and, of an address that is suppressed, `_suppressed`."""

    def __init__(self, hall: Hall, desk: Desk, tally: Tally, *, unknown: bytes, trouble: bytes) -> None:
        super().__init__(hall)
        self._desk = desk
        self._tally = tally
        self._unknown = unknown
        self._trouble = trouble

    def _suppressed(self, text: bytes) -> bytes:
        """The answer with the text of a refusal."""
        raise NotImplementedError

    def _about(self, written: bytes, stream: str | None) -> bytes:
        """The answer about an address in UTF-8; empty if it has to be waited for."""
        self._tally.questions += 1
        try:
            question = self._desk.of_name(normal_form(written))
        except (InvalidAddressError, UnicodeDecodeError):
            # Postfix asks for partial keys where it is told to; none of them is an address of the list.
            return self._unknown
        except BounceprocError:
            self._tally.troubles += 1
            return self._trouble
        if not question.keys:
            return self._unknown
        known, entry = self._desk.at_hand(question, stream)
        if not known:
            self._ask_for(self._confirmed(question, stream))
            return b""
        return self._told(entry)

    async def _confirmed(self, question: Question, stream: str | None) -> bytes:
        try:
            entry = await self._desk.answer(question, stream)
        except BounceprocError as error:
            self._tally.troubles += 1
            logging.getLogger(__name__).warning("a hit cannot be confirmed: %s", error.what)
            return self._trouble
        return self._told(entry)

    def _told(self, entry: Suppression | None) -> bytes:
        if entry is None:
            return self._unknown
        self._tally.suppressed += 1
        return self._suppressed(refusal(entry).encode())
