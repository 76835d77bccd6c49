"""Which stream of ours a report is about: found from the return path, or from what the returned copy says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bounceproc.returned import copied, paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bounceproc.reports.report import Report

_HEADER: Final = "header:"


class Stream(NamedTuple):
    """One kind of our mail, and the one sign that it is known by."""

    name: str
    kind: str
    """`list_id`, `return_path`, `feedback_id`, `header`."""
    value: str
    """For `return_path` an address or `@domain`; for `header` `Name: value`."""


class Streams:
    """The streams that are configured. There may be thousands, one for each list: a report costs the same.

    Upper and lower case are the same. Where several fit, the first one is it. No stream is a security border: whoever writes
    a report writes these signs.
    """

    def __init__(self, streams: Sequence[Stream] = (), delimiters: str = "+") -> None:
        """Make ready; `delimiters` begin address extensions, which a return path is known without."""
        self._delimiters = delimiters
        self._known: dict[tuple[str, str], tuple[int, str]] = {}
        for place, stream in enumerate(streams):
            self._known.setdefault(_sign(stream), (place, stream.name))
        kinds = dict.fromkeys(kind for kind, _ in self._known)
        self._headers = [kind.removeprefix(_HEADER).encode() for kind in kinds if kind.startswith(_HEADER)]

    def __bool__(self) -> bool:
        return bool(self._known)

    def of(self, report: Report) -> str | None:
        """The name of the report's stream; None where no sign is known."""
        if not self._known:
            return None
        found = [known for sign in self._signs(report) if (known := self._known.get(sign)) is not None]
        return min(found)[1] if found else None

    def _signs(self, report: Report) -> Iterator[tuple[str, str]]:
        for path in paths(report):
            local, at, domain = path.lower().rpartition("@")
            if at:
                yield "return_path", f"{local}@{domain}"
                yield "return_path", f"{self._plain(local)}@{domain}"
                yield "return_path", f"@{domain}"
        for value in copied(report, b"list-id"):
            yield "list_id", _list_id(value)
        for value in copied(report, b"feedback-id"):
            yield "feedback_id", _folded(value)
            for part in value.split(":")[:8]:
                yield "feedback_id", _folded(part)
        for name in self._headers:
            for value in copied(report, name):
                yield f"{_HEADER}{name.decode()}", _folded(value)

    def _plain(self, local: str) -> str:
        """A local part without its extension."""
        ends = [end for delimiter in self._delimiters if (end := local.find(delimiter, 1)) > 0]
        return local[: min(ends)] if ends else local


def _sign(stream: Stream) -> tuple[str, str]:
    if stream.kind == "header":
        name, _, value = stream.value.partition(":")
        return f"{_HEADER}{name.strip().lower()}", _folded(value)
    if stream.kind == "list_id":
        return stream.kind, _list_id(stream.value)
    value = _folded(stream.value)
    if stream.kind == "return_path":
        value = value.strip("<>")
        return stream.kind, value if "@" in value else f"@{value}"
    return stream.kind, value


def _list_id(value: str) -> str:
    """The identifier of a list (RFC 2919 3), without the phrase before it."""
    return _folded(value.rpartition("<")[2].partition(">")[0])


def _folded(text: str) -> str:
    return " ".join(text.split()).lower()
