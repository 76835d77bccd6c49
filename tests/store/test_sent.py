"""The send ledger: what stands in it makes reports matched, and nothing else does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from bounceproc.address import Address
from bounceproc.classify.classifier import default_classifier
from bounceproc.event import Trust
from bounceproc.identity import Identifier, OurMail
from bounceproc.pipeline import Pipeline
from bounceproc.ports import MessageBatch, Sent
from bounceproc.rawmessage import RawMessage
from bounceproc.returnpath import digest, make
from bounceproc.sentmail import SentMail
from bounceproc.store.forgetting import Request
from bounceproc.store.rows import Privacy
from bounceproc.store.sent import PART, SHARED, SentMails
from tests.store.kit import DAY, START, Bench
from tests.unit.mails import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a secret for tests only"
ANNA = Address.parse("anna@example.com")
LONG = Address.parse(f"{'a' * 60}@example.com")


def mail(message_id: str = "1@sender.example", recipient: str | Address = ANNA, **more: Any) -> SentMail:
    address = recipient if isinstance(recipient, Address) else Address.parse(recipient)
    return SentMail(message_id=message_id, recipient=address, **{"sent_at": START, **more})


def asked(bench: Bench, *pairs: tuple[str, Address]) -> dict[tuple[str, Address], Sent]:
    with bench.store.ledger.batch("returns") as batch:
        return batch.sent(set(pairs))


def pipeline(bench: Bench, *, secrets: tuple[str, ...] = (), ledger: bool = True) -> Pipeline:
    return Pipeline(
        ledger=bench.store.ledger,
        classifier=default_classifier(),
        policy=bench.policy,
        clock=lambda: bench.now,
        identifier=Identifier(OurMail(secrets), lambda: bench.now) if secrets else None,
        sent=ledger,
    )


def test_a_message_id_and_its_recipient_are_known_together_only(bench: Bench) -> None:
    assert (
        bench.store.sent.add([mail(stream="news", reference="job 7"), mail("2@sender.example", "bert@example.com")])
        == 2
    )
    known = ("1@sender.example", ANNA)
    bert = Address.parse("bert@example.com")
    assert asked(bench, known, ("1@sender.example", bert), ("2@sender.example", ANNA), ("3@sender.example", ANNA)) == {
        known: Sent("news", "job 7")
    }


def test_remembering_again_changes_nothing(bench: Bench) -> None:
    assert bench.store.sent.add([mail(stream="news"), mail(stream="other")]) == 1
    before = bench.rows("sent")
    assert bench.store.sent.add([mail(stream="third"), mail("2@sender.example")]) == 1
    assert [row for row in bench.rows("sent") if row in before] == before


def test_what_went_to_many_proves_nothing_of_the_others(bench: Bench) -> None:
    few = [mail("few@sender.example", f"u{n}@example.com") for n in range(SHARED)]
    many = [mail("many@sender.example", f"u{n}@example.com") for n in range(SHARED + 1)]
    bench.store.sent.add([*few, *many])
    someone = Address.parse("u0@example.com")
    found = asked(bench, ("few@sender.example", someone), ("many@sender.example", someone))
    assert [message_id for message_id, _ in found] == ["few@sender.example"]


def test_old_rows_are_purged(bench: Bench) -> None:
    bench.store.sent.add(mail(f"{n}@sender.example", sent_at=START + n * timedelta(minutes=1)) for n in range(PART + 5))
    limits = {"sent": DAY}
    assert bench.store.purging.counts(limits, START + DAY + timedelta(minutes=3)) == {"sent": 3}
    assert bench.store.purging.work(limits, START + DAY + timedelta(minutes=PART + 3)) == {"sent": PART + 3}
    assert asked(bench, (f"{PART + 4}@sender.example", ANNA))
    assert bench.store.purging.work(limits, START) == {}


def test_who_is_forgotten_is_known_by_the_key_alone(bench: Bench) -> None:
    bench.store.sent.add([mail(), mail("2@sender.example"), mail("3@sender.example", "bert@example.com")])
    request = Request((ANNA,), "user:op", None, START)
    assert bench.store.forgetting.forget(request, on_progress=lambda _done, _total: None) == {"sent": 2}
    assert sorted(str(row["address"]) for row in bench.rows("sent")) == ["None", "None", "bert@example.com"]
    assert asked(bench, ("2@sender.example", ANNA)), "a bounce of mail that is on its way is still matched"


def test_where_only_hashes_are_kept_the_ledger_has_no_plaintext_and_matches_all_the_same(bench: Bench) -> None:
    hashed = SentMails(bench.database, bench.store.keys, privacy=Privacy(hash_only=True))
    hashed.add([mail("anna.1@sender.example", reference="anna's order")])
    assert "anna" not in str(bench.rows("sent"))
    assert asked(bench, ("anna.1@sender.example", ANNA))


@pytest.mark.parametrize(
    ("who", "original", "trust"),
    [
        ("anna@example.com", "<1@sender.example>", Trust.MATCHED),
        ("anna@example.com", "<2@sender.example>", Trust.REPORTED),
        ("bert@example.com", "<1@sender.example>", Trust.REPORTED),
    ],
)
def test_a_report_about_what_was_sent_is_matched_and_has_its_stream(
    bench: Bench, who: str, original: str, trust: Trust
) -> None:
    bench.store.sent.add([mail(stream="news", reference="job 7")])
    raw = RawMessage("1", dsn(who, original=original), bench.now)
    result = pipeline(bench).process("returns", MessageBatch((raw,)))
    (event,) = result.readings[0].events
    assert (event.trust, event.stream) == (trust, "news" if trust is Trust.MATCHED else None)
    (row,) = bench.rows("event")
    known = (trust.value, event.stream, "job 7" if trust is Trust.MATCHED else None)
    assert (row["trust"], row["stream"], row["reference"]) == known
    (told,) = bench.store.suppressions.status(Address.parse(who), stream=None, now=bench.now).events
    assert (told.to_dict()["trust"], told.to_dict()["stream"], told.to_dict()["reference"]) == known


def test_a_hash_in_a_token_is_resolved_where_the_report_names_somebody_else(bench: Bench) -> None:
    bench.store.sent.add([mail(recipient=LONG)], digest=lambda address: digest(address, [SECRET]))
    path = make(LONG, "bounces@sender.example", secrets=[SECRET], now=bench.now, stream="news")
    message = f"Delivered-To: {path}\n".encode() + dsn("inner@forward.example")
    result = pipeline(bench, secrets=(SECRET,)).process("returns", MessageBatch((RawMessage("1", message, bench.now),)))
    (event,) = result.readings[0].events
    assert (event.recipient, event.trust, event.stream) == (LONG, Trust.SIGNED, "news")
    assert event.final_recipient == Address.parse("inner@forward.example")
    assert bench.answer(LONG.text) is not None
    assert bench.answer("inner@forward.example") is None


def test_a_batch_asks_the_ledger_once_whatever_its_size_and_only_for_what_is_not_signed(bench: Bench) -> None:
    bench.store.sent.add([mail()])
    path = make(ANNA, "bounces@sender.example", secrets=[SECRET], now=bench.now)
    signed = f"Delivered-To: {path}\n".encode()

    def about(size: int, prefix: bytes = b"") -> int:
        messages = [prefix + dsn("anna@example.com", original=f"<{size}.{n}@x.example>") for n in range(size)]
        batch = MessageBatch(tuple(RawMessage(f"{size}.{n}.{prefix!r}", m, bench.now) for n, m in enumerate(messages)))
        flow = pipeline(bench, secrets=(SECRET,))
        return sum(" sent" in statement for statement in statements(bench, lambda: flow.process("returns", batch)))

    assert about(3) == about(300) == 1
    assert about(4, signed) == 0
    off = pipeline(bench, ledger=False)
    one = MessageBatch((RawMessage("off", dsn("anna@example.com", original="<1@sender.example>"), bench.now),))
    assert not any(" sent" in statement for statement in statements(bench, lambda: off.process("returns", one)))


def statements(bench: Bench, work: Any) -> Iterator[str]:
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    sa.event.listen(bench.database._engine, "before_cursor_execute", note)
    work()
    sa.event.remove(bench.database._engine, "before_cursor_execute", note)
    return iter(seen)
