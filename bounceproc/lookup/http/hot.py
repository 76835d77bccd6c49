"""The two questions that senders ask before they send, straight on ASGI: one address, or up to ten thousand."""

from __future__ import annotations

import re
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from bounceproc.address import Address
from bounceproc.errors import BounceprocError, InvalidAddressError
from bounceproc.event import iso
from bounceproc.lookup.bulk.normal import Forms, normal_forms
from bounceproc.lookup.desk import SURELY_NOT
from bounceproc.lookup.http.gate import body, json_object
from bounceproc.lookup.http.problems import ProblemError

if TYPE_CHECKING:
    from bounceproc.lookup.desk import Desk, Question
    from bounceproc.lookup.http.gate import Gate, Receive, Scope
    from bounceproc.lookup.tally import Tally
    from bounceproc.ports import Suppression

LIST_LIMIT: Final = 10_000
"""Addresses in one question."""
_SHA256: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_NONE: Final = Forms([], {}, plain=True)
_NO: Final = ',"suppressed":false,"scope":null,"reason":null,"category":null,"since":null,"until":null,"ref":null}'


class Questions:
    """Answers to both."""

    def __init__(self, desk: Desk, gate: Gate, tally: Tally, *, is_open: bool = False) -> None:
        """`is_open`: whether mail passes when the list cannot be asked; else that is an error of the caller's to handle."""
        self._desk = desk
        self._gate = gate
        self._tally = tally
        self._is_open = is_open

    async def one(self, scope: Scope, text: str) -> bytes:
        """`GET /v1/addresses/{address}?stream=`.

        Raises:
            ProblemError: it is no address, or nobody who may ask.
            BounceprocError: no answer can be given.

        """
        self._gate.reader(scope)
        self._tally.questions += 1
        address = subject(text)
        stream = one_of(scope, "stream")
        try:
            question = self._desk.of(address)
            if not question.keys:
                return f'{{"address":{quoted(text)}{_NO}'.encode()
            known, entry = self._desk.at_hand(question, stream)
            if not known:
                entry = await self._desk.answer(question, stream)
        except BounceprocError as error:
            return self._declared(text, error).encode()
        self._tally.suppressed += entry is not None
        return _told(text, entry).encode()

    async def many(self, scope: Scope, receive: Receive) -> bytes:
        """`POST /v1/check`.

        Raises:
            ProblemError: it is no such question, or nobody who may ask.
            BounceprocError: no answer can be given.

        """
        self._gate.reader(scope)
        asked = json_object(await body(receive))
        texts, stream = asked.get("addresses"), asked.get("stream")
        if not isinstance(texts, list) or len(texts) > LIST_LIMIT or not all(type(text) is str for text in texts):
            raise ProblemError(422, f"addresses has to be a list of at most {LIST_LIMIT} strings")
        if stream is not None and not isinstance(stream, str):
            raise ProblemError(422, "stream has to be a string")
        self._tally.questions += len(texts)
        try:
            results = await self._results(texts, stream)
        except BounceprocError as error:
            results = [self._declared(text, error) for text in texts]
        return f'{{"results":[{",".join(results)}]}}'.encode()

    async def _results(self, texts: list[str], stream: str | None) -> list[str]:
        forms = normal_forms([text.encode(errors="surrogatepass") for text in texts]) if texts else _NONE
        questions = self._desk.of_many(forms)
        if forms.plain:  # nothing in any of them has to be escaped
            results = [f'{{"address":"{text}"{_NO}' for text in texts]
        else:
            results = [f'{{"address":{text}{_NO}' for text in map(quoted, texts)]
        for place in forms.wrong:
            questions[place], results[place] = self._unusual(texts[place], results[place])
        doubtful = [place for place, question in questions.items() if question.keys]
        if doubtful:
            entries = await self._desk.answers([questions[place] for place in doubtful], stream)
            for place, entry in zip(doubtful, entries, strict=True):
                results[place] = _told(texts[place], entry)
                self._tally.suppressed += entry is not None
        return results

    def _declared(self, text: str, error: BounceprocError) -> str:
        """What was declared for the case that the list cannot be asked; it says that it is no knowledge.

        Raises:
            BounceprocError: the error itself, where nothing may pass.

        """
        self._tally.troubles += 1
        if not self._is_open:
            raise error
        return f'{{"address":{quoted(text)}{_NO[:-1]},"known":false}}'

    def _unusual(self, text: str, otherwise: str) -> tuple[Question, str]:
        """What is no address: a hash, or nothing that can be asked."""
        if (found := _SHA256.fullmatch(text)) is not None:
            return self._desk.of_sha256(bytes.fromhex(found[1])), otherwise
        try:
            Address.parse(text)
        except InvalidAddressError as error:
            return SURELY_NOT, f'{{"address":{quoted(text)},"suppressed":null,"error":{quoted(error.why)}}}'
        raise AssertionError("it has a normal form")


def subject(text: str) -> Address:
    """An address, or a whole domain where it begins with `@`.

    Raises:
        ProblemError: it is neither.

    """
    try:
        return Address.parse_domain(text) if text.startswith("@") else Address.parse(text)
    except InvalidAddressError as error:
        raise ProblemError(400, f"this is no e-mail address: {error.why}") from error


def one_of(scope: Scope, name: str) -> str | None:
    """A parameter of the query; None where it is not there.

    Raises:
        ProblemError: it is there twice, or the query has too many.

    """
    if not scope["query_string"]:
        return None
    try:
        values: list[str] | None = parse_qs(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=20
        ).get(name)
    except ValueError as error:
        raise ProblemError(400, "the query has too many parameters") from error
    if values is None:
        return None
    if len(values) > 1:
        raise ProblemError(400, f"{name} is there twice")
    return values[0]


def _told(text: str, entry: Suppression | None) -> str:
    if entry is None:
        return f'{{"address":{quoted(text)}{_NO}'
    fields: dict[str, Any] = {
        "scope": entry.scope,
        "reason": entry.reason,
        "category": entry.category,
        "since": iso(entry.since),
        "until": iso(entry.until),
        "ref": entry.ref,
    }
    told = ",".join(f'"{name}":{"null" if value is None else quoted(value)}' for name, value in fields.items())
    return f'{{"address":{quoted(text)},"suppressed":true,{told}}}'
