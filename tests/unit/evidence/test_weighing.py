"""An event is matched where a signature proves it, and by nothing that anybody could write."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.classify.classifier import default_classifier
from bounceproc.event import EventType, Kind, Trust
from bounceproc.evidence import verifying
from bounceproc.evidence.letter import MAX_MESSAGE, Letter
from bounceproc.evidence.operators import Operator, Operators
from bounceproc.evidence.signature import signatures, usable_key
from bounceproc.evidence.weighing import MAX_QUESTIONS, Evidence
from bounceproc.pipeline import meant, read
from bounceproc.policies import deciding_on_trust
from bounceproc.policy.settings import Policy
from bounceproc.rawmessage import RawMessage
from tests.unit.evidence.signing import USUAL, Zone, record, sign
from tests.unit.mails import complaint, dsn

if TYPE_CHECKING:
    from bounceproc.ports import Reading

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LOOP = Operators((Operator("Loop", ("fbl@provider.example", ".loops.example"), ("loops.example",)),))
OURS = "sender.example"


def evidence(zone: Zone | None = None, **changed: Any) -> Evidence:
    given: dict[str, Any] = {
        "operators": LOOP,
        "domains": frozenset({OURS}),
        "keys": zone if zone is not None else Zone("provider.example", OURS),
        "verifies": verifying.verifies,
    }
    return Evidence(**given | changed)


def reading(message: bytes) -> Reading:
    raw = RawMessage("m", message, NOW)
    return read(raw, meant(raw, default_classifier()), NOW)


def trusts(message: bytes, zone: Zone | None = None, **changed: Any) -> list[Trust]:
    (weighed,) = evidence(zone, **changed).weighed([reading(message)])
    return [event.trust for event in weighed.events]


def returned(copy: bytes, recipient: str = "user@example.com", *, type_: str = "message/rfc822") -> bytes:
    """A report with this copy of our mail."""
    before, _, _ = dsn(recipient).partition(b"Content-Type: text/rfc822-headers")
    return before + f"Content-Type: {type_}\n\n".encode() + copy + b"\n--b1--\n"


def mail(recipient: str = "user@example.com", more: str = "") -> bytes:
    return (
        f"From: news@sender.example\nTo: {recipient}\n{more}Subject: Hello\nMessage-ID: <original.1@sender.example>\n"
        "Date: Mon, 23 Nov 2026 07:00:00 +0000\n\nHello.\n\nThere.\n"
    ).encode()


# ---- feedback loops --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("canonical", [(b"relaxed", b"relaxed"), (b"relaxed", b"simple"), (b"simple", b"simple")])
@pytest.mark.parametrize("crlf", [False, True])
def test_a_complaint_that_a_known_operator_signed_is_matched(canonical: tuple[bytes, bytes], crlf: bool) -> None:
    message = sign(complaint(), "provider.example", canonical=canonical)
    assert trusts(message.replace(b"\n", b"\r\n") if crlf else message) == [Trust.MATCHED]


def test_a_wish_to_leave_that_he_signed_is_matched_and_what_is_neither_is_not_asked_of() -> None:
    for type_, trust in (("opt-out", Trust.MATCHED), ("not-spam", Trust.REPORTED), ("auth-failure", Trust.REPORTED)):
        zone = Zone("provider.example")
        message = complaint().replace(b"Feedback-Type: abuse", f"Feedback-Type: {type_}".encode())
        assert trusts(sign(message, "provider.example"), zone) == [trust]
        assert bool(zone.asked) == (trust is Trust.MATCHED)


def test_an_operator_may_sign_by_another_domain_that_he_names() -> None:
    message = complaint().replace(b"fbl@provider.example", b"feedbackloop@some.loops.example")
    assert trusts(sign(message, "loops.example"), Zone("loops.example")) == [Trust.MATCHED]
    assert trusts(sign(message, "provider.example")) == [Trust.REPORTED]


SIGNED = sign(complaint(), "provider.example")


@pytest.mark.parametrize(
    "forged",
    [
        complaint(),
        SIGNED.replace(b"Original-Rcpt-To: <user@", b"Original-Rcpt-To: <victim@"),
        SIGNED.replace(
            b"--b2--", b"--b2\nContent-Type: message/feedback-report\n\nOriginal-Rcpt-To: <v@x.example>\n--b2--"
        ),
        SIGNED + b"\n--b3\nadded\n",
        b"From: fbl@provider.example\n" + SIGNED,
        SIGNED.replace(b"Subject:", b"From: mallory@provider.example\nSubject:"),
        b"To: somebody@else.example\n" + SIGNED,
        b"Content-Type: multipart/mixed; boundary=b9\n" + SIGNED,
        SIGNED.replace(b'boundary="b2"', b'boundary="b9"'),
        b"X-Note: a\rFrom: fbl@provider.example\n" + SIGNED,
        b"no field at all\n" + SIGNED,
        SIGNED.replace(b"From: fbl@provider.example", b'From: "<fbl@provider.example>" <mallory@provider.example>'),
        sign(complaint().replace(b"fbl@provider", b"mallory@provider"), "provider.example"),
        sign(complaint(), "provider.example", length=True),
        sign(complaint(), "provider.example", length=True) + b"\nmore\n",
        sign(complaint(), "provider.example", algorithm=b"rsa-sha1"),
        sign(complaint(), "mallory.example"),
        sign(complaint(), "user.provider.example"),
    ],
)
def test_a_forged_one_stays_reported(forged: bytes) -> None:
    zone = Zone("provider.example", "mallory.example", "user.provider.example", OURS)
    assert set(trusts(forged, zone)) <= {Trust.REPORTED}


def test_other_parts_of_a_signed_body_are_not_read_where_content_type_is_not_signed() -> None:
    """What somebody wrote into a mail of ours comes back within a signed body, and would be a report with another boundary."""
    inner = (
        "--evil\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <victim@example.net>\n\n"
        "--evil--\n"
    )
    message = complaint().replace(b"Hello.\n\n--b2--", f"{inner}\n--b2--".encode())
    signed = sign(message, "provider.example")
    assert trusts(signed) == [Trust.MATCHED]
    turned = signed.replace(b'boundary="b2"', b'boundary="evil"')
    assert [event.recipient.normal for event in reading(turned).events if event.recipient] == ["victim@example.net"]
    assert trusts(turned) == [Trust.REPORTED]


def test_a_report_about_somebody_elses_mail_cannot_name_a_recipient_by_what_he_wrote() -> None:
    """Anybody gets signed reports about his own mail, and can write into that mail whomever he likes."""
    hidden = complaint("victim@example.net").replace(b"Original-Rcpt-To: <victim@example.net>", b"Reported-Domain: %s")
    assert trusts(sign(hidden % b"mallory.example", "provider.example")) == [Trust.REPORTED]
    assert trusts(sign(hidden.replace(b"Reported-Domain: %s\n", b""), "provider.example")) == [Trust.REPORTED]
    assert trusts(sign(hidden % b"news.sender.example", "provider.example")) == [Trust.MATCHED]
    assert trusts(sign(hidden % b"notsender.example", "provider.example")) == [Trust.REPORTED]


def test_authentication_results_of_a_host_of_ours_match_without_any_question() -> None:
    above = b"Authentication-Results: mx.example.com; dkim=pass header.d=provider.example\n"
    received = b"Received: from x by mx.example.com with ESMTP; date\n"
    zone = Zone()
    trusted = frozenset({"mx.example.com"})
    assert trusts(above + received + complaint(), zone, trusted=trusted, keys=None) == [Trust.MATCHED]
    assert trusts(above + received + complaint(), zone) == [Trust.REPORTED]
    assert trusts(received + b"From: a@b.example\n" + above + complaint(), zone, trusted=trusted) == [Trust.REPORTED]
    other = above.replace(b"provider.example", b"mallory.example")
    assert trusts(other + received + complaint(), zone, trusted=trusted) == [Trust.REPORTED]
    assert zone.asked == []


# ---- our own mail that comes back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("crlf", [False, True])
def test_our_signature_on_the_returned_copy_matches(crlf: bool) -> None:
    message = returned(sign(mail(), OURS))
    assert trusts(message.replace(b"\n", b"\r\n") if crlf else message) == [Trust.MATCHED]
    traced = returned(b"Return-Path: <bounces@sender.example>\nReceived: from a by b; date\n" + sign(mail(), OURS))
    assert trusts(traced) == [Trust.MATCHED]


def test_a_domain_below_ours_is_ours_where_it_is_named() -> None:
    """It may be somebody else's who sends for us."""
    zone = Zone("mail.sender.example")
    below = returned(sign(mail(), "mail.sender.example"))
    assert trusts(below, zone) == [Trust.REPORTED]
    assert trusts(below, zone, domains=frozenset({OURS, "mail.sender.example"})) == [Trust.MATCHED]


def test_our_signature_in_a_complaint_matches_too() -> None:
    before, _, _ = complaint().partition(b"Content-Type: message/rfc822")
    within = before + b"Content-Type: message/rfc822\n\n" + sign(mail(), OURS) + b"\n--b2--\n"
    assert trusts(within) == [Trust.MATCHED]


OWN = sign(mail(), OURS)


@pytest.mark.parametrize(
    "forged",
    [
        returned(OWN, "victim@example.net"),  # whoever got a mail of ours has a signed copy, of his own
        returned(OWN.replace(b"To: user@example.com", b"To: victim@example.net"), "victim@example.net"),
        returned(b"To: victim@example.net\n" + OWN, "victim@example.net"),
        returned(OWN.replace(b"Subject:", b"To: victim@example.net\nSubject:"), "victim@example.net"),
        returned(sign(mail("mallory@example.net, user@example.com"), OURS)),
        returned(sign(mail(more="Cc: mallory@example.net\n"), OURS)),
        returned(sign(mail(), OURS, covers=("from", "subject"))),
        returned(sign(mail(), OURS, length=True)),
        returned(sign(mail(), OURS, algorithm=b"rsa-sha1")),
        returned(sign(mail(), "mallory.example")),
        returned(sign(mail(), "notsender.example")),
        returned(OWN.replace(b"There.", b"Here.")),
        returned(OWN.partition(b"\n\n")[0] + b"\n\n", type_="text/rfc822-headers"),
        returned(OWN.partition(b"\n\n")[0] + b"\n\n"),
        returned(OWN, type_="message/rfc822\nContent-Transfer-Encoding: base64"),
    ],
)
def test_a_copy_that_proves_nothing_leaves_it_reported(forged: bytes) -> None:
    zone = Zone("provider.example", OURS, "mallory.example", "notsender.example")
    assert set(trusts(forged, zone)) <= {Trust.REPORTED}


# ---- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [b"", b"v=DKIM1; p=", b"v=DKIM1; k=rsa; p=AAAA", b"\xff", b"p=" + b"A" * 5000, None])
def test_without_a_key_it_stays_reported(found: bytes | None) -> None:
    zone = Zone()
    if found is not None:
        zone["s1._domainkey.provider.example"] = found
    assert trusts(SIGNED, zone) == [Trust.REPORTED]


@pytest.mark.parametrize("tags", ["t=y; ", "h=sha1; ", "s=tlsrpt; ", "v=DKIM2; ", "k=ed25519; "])
def test_a_key_that_is_not_for_this_stays_unused(tags: str) -> None:
    zone = Zone("provider.example")
    name, good = next(iter(zone.items()))
    zone[name] = tags.encode() + good.partition(b"k=rsa; ")[2]
    assert trusts(SIGNED, zone) == [Trust.REPORTED]


def test_a_key_for_the_very_domain_is_not_for_identities_below_it() -> None:
    zone = Zone("provider.example")
    zone["s1._domainkey.provider.example"] = zone["s1._domainkey.provider.example"].replace(b"k=rsa", b"t=s; k=rsa")
    assert trusts(SIGNED, zone) == [Trust.MATCHED]
    below = sign(complaint(), "provider.example", identity=b"@user.provider.example")
    assert trusts(below, zone) == [Trust.REPORTED]


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    signed, zone = sign(complaint(), "provider.example", bits=1024), Zone("provider.example", bits=1024)
    assert verifying.MIN_KEY == 1024
    assert trusts(signed, zone) == [Trust.MATCHED]
    monkeypatch.setattr(verifying, "MIN_KEY", 1025)  # nobody makes shorter ones any more, not even for a test
    assert trusts(signed, zone) == [Trust.REPORTED]


def test_an_expired_signature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    assert trusts(sign(complaint(), "provider.example", expires=now + 86_400)) == [Trust.MATCHED]
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86_400)
    assert trusts(SIGNED) == [Trust.MATCHED]
    assert trusts(sign(complaint(), "provider.example", expires=now + 86_400)) == [Trust.REPORTED]


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_of_events_that_policy_would_not_judge_differently() -> None:
    counting = Policy(acts=frozenset({Trust.SIGNED, Trust.MATCHED}), counts=frozenset({Trust.REPORTED}))
    decides = deciding_on_trust(counting)
    assert decides is not None
    assert deciding_on_trust(Policy()) is None
    zone = Zone(OURS)
    content = dsn(status="5.7.1", diagnostic="smtp; 550 5.7.1 Message rejected as spam")
    copied = returned(OWN).replace(b"5.1.1 User unknown", b"5.7.1 rejected as spam").replace(b"5.1.1", b"5.7.1")
    for message in (content, copied):
        assert trusts(message, zone, decides=decides) == [Trust.REPORTED]
    assert zone.asked == []
    assert trusts(returned(OWN), zone, decides=decides) == [Trust.MATCHED]


def test_strangers_cannot_have_us_ask_about_names_of_theirs() -> None:
    zone = Zone()
    trusts(sign(complaint().replace(b"fbl@provider", b"fbl@mallory"), "mallory.example"), zone)
    trusts(returned(sign(mail(), "mallory.example")), zone)
    assert zone.asked == []


def test_questions_of_a_batch_are_counted_and_known_keys_cost_none() -> None:
    zone = Zone("provider.example")
    forged = [reading(SIGNED.replace(b"s=s1;", b"s=x%d;" % number)) for number in range(MAX_QUESTIONS * 2)]
    weighed = evidence(zone).weighed([reading(SIGNED), *forged, reading(SIGNED)])
    assert [one.events[0].trust for one in weighed].count(Trust.MATCHED) == 2
    assert len(set(zone.asked)) == MAX_QUESTIONS


def test_a_batch_has_an_end() -> None:
    moments = iter([0.0, 1.0, 11.0, 12.0])
    weighed = evidence(clock=lambda: next(moments)).weighed([reading(SIGNED), reading(SIGNED)])
    assert [one.events[0].trust for one in weighed] == [Trust.MATCHED, Trust.REPORTED]


def test_what_is_too_large_is_left_alone() -> None:
    zone = Zone("provider.example")
    large = complaint().replace(b"Hello.\n\n", b"Hello.\n" * (MAX_MESSAGE // 6) + b"\n")
    assert trusts(sign(large, "provider.example"), zone) == [Trust.REPORTED]
    assert zone.asked == []


def test_spaces_without_end_take_no_time_that_grows_with_their_square() -> None:
    """Half a million of them in one line would take the library's own way hours."""
    wide = complaint().replace(b"Hello.", b"Hello." + b" \t" * 250_000 + b".")
    assert trusts(sign_fast(wide)) == [Trust.REPORTED]


def test_headers_that_would_take_long_to_read_are_left_alone() -> None:
    zone = Zone("provider.example")
    folded = b"X-Long: a" + b"\n b" * 10_000 + b"\n"
    covers = (*USUAL, *(f"x-{number}" for number in range(200)))
    for message in (
        folded + SIGNED,
        b"X-A: b\n" * 600 + SIGNED,
        b"".join(b"X-B%d: " % number + b"c" * 1000 + b"\n" for number in range(100)) + SIGNED,
        sign(complaint(), "provider.example", covers=covers),
        SIGNED.replace(b"; h=", b";" + b" " * 60 + b"h="),
    ):
        assert trusts(message, zone) == [Trust.REPORTED]
    assert zone.asked == []


def sign_fast(message: bytes) -> bytes:
    """A signature that is not right, and is found so only at the body."""
    return SIGNED[: len(SIGNED) - len(complaint())] + message


def test_the_reason_is_told() -> None:
    one = reading(SIGNED)
    ((event, why),) = evidence().proofs(SIGNED, one.kind, one.events)
    assert event.trust is Trust.MATCHED
    assert why == "signed by provider.example: a feedback loop (Loop)"
    own = reading(returned(OWN))
    assert evidence().proofs(own.raw, own.kind, own.events)[0].why == (
        "the returned copy, for this recipient, bears the signature of sender.example"
    )


def test_what_is_signed_or_guessed_is_left_as_it_is() -> None:
    one = reading(SIGNED)
    for trust in (Trust.SIGNED, Trust.HEURISTIC, Trust.MATCHED):
        events = tuple(event._replace(trust=trust) for event in one.events)
        assert [proof.why for proof in evidence().proofs(SIGNED, Kind.ARF, events)] == [""]


BACK = returned(OWN)


def mangled(message: bytes) -> st.SearchStrategy[bytes]:
    """The message with a piece put in place of another one."""
    return st.tuples(st.integers(0, len(message)), st.integers(0, 40), st.binary(max_size=30)).map(
        lambda cut: message[: cut[0]] + cut[2] + message[cut[0] + cut[1] :]
    )


@settings(max_examples=60)
@given(st.sampled_from([Kind.ARF, Kind.DSN]), st.binary() | mangled(SIGNED) | mangled(BACK))
def test_any_octets_are_weighed_without_an_error(kind: Kind, message: bytes) -> None:
    event = reading(SIGNED).events[0]
    for type_ in (EventType.COMPLAINT, EventType.BOUNCE):
        (proof,) = evidence(trusted=frozenset({"mx.example.com"})).proofs(message, kind, (event._replace(type=type_),))
        assert proof.event.trust is (Trust.MATCHED if proof.why else Trust.REPORTED)


@given(st.binary() | mangled(record()), st.binary() | mangled(SIGNED))
def test_any_key_and_any_signature_are_read_without_an_error(key: bytes, message: bytes) -> None:
    letter = Letter.parse(message)
    if letter is None:
        return
    for signature in signatures(letter):
        usable_key(key, signature)
        assert verifying.verifies(letter, signature, lambda _name: key) in (True, False)


@pytest.mark.parametrize("canonical", [(b"relaxed", b"relaxed"), (b"relaxed", b"simple"), (b"simple", b"simple")])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n\n", b" \t\n\t \n", b"  a \t b\t\n\n c\n\n"])
def test_bodies_with_every_kind_of_space_are_signed_and_verified_alike(
    canonical: tuple[bytes, bytes], end: bytes
) -> None:
    signed = Letter.parse(sign(b"From: a@sender.example\nSubject: x\n\n" + end, OURS, canonical=canonical))
    assert signed is not None
    (signature,) = signatures(signed)
    assert verifying.verifies(signed, signature, lambda _name: record())
