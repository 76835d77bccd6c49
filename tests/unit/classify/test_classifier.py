"""The classifier: words beat codes, the class follows from all three, and no text is too odd."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.classify.builtin import read_built_in
from bounceproc.classify.categories import CATEGORIES, Category, Fault
from bounceproc.classify.classifier import NO_RULE, Classifier, class_of, default_classifier
from bounceproc.classify.rule import Facts, Rule, RuleSet
from bounceproc.classify.rules import load_rules
from bounceproc.classify.words import folded, words_of
from bounceproc.event import BounceClass
from bounceproc.status import EnhancedStatus

if TYPE_CHECKING:
    from bounceproc.classify.classification import Classification

HARD, SOFT = BounceClass.HARD, BounceClass.SOFT


def classify(text: str, **given: str) -> Classification:
    return default_classifier().classify(text, remote_mta=given.get("remote_mta"), domain=given.get("domain"))


@pytest.mark.parametrize(
    ("text", "category"),
    [
        # a 5.1.1 is not always a dead address
        ("550 5.1.1 <news@example.org> has sent to too many recipients this hour", "rate-limited"),
        ("552 5.1.1 sorry, this mailbox is over quota", "mailbox-full"),
        ("550 5.1.0 <news@example.org> sender rejected. AUP#In-1310", "rate-limited"),
        (
            "550 5.1.0 <news@example.org>: Sender address rejected: User unknown in local recipient table",
            "invalid-sender",
        ),
        ("550 5.1.1 Blocked by our spam filter", "spam-content"),
        ("554 5.0.0 Mailbox full", "mailbox-full"),
        ("550 5.7.1 Mailbox full", "mailbox-full"),
        # a 5.7.1 is a dead address only with words to that effect
        ("550 5.7.1 No such user here", "bad-mailbox"),
        ("550 5.7.1 <user@example.com>: Recipient address rejected: Access denied", "policy"),
        ("550 5.7.1 Requested action not taken: mailbox unavailable", "policy"),
        ("550 5.7.1 Refused", "policy"),
        # vague words leave it to the code
        ("550 5.1.1 Rejected", "bad-mailbox"),
        ("550 5.2.2 Requested action not taken: mailbox unavailable", "mailbox-full"),
        ("450 4.2.1 Temporary failure", "inactive-mailbox"),
        # the sender's names are not the reader's
        ("553 5.1.8 <news@example.org>... Domain of sender address does not exist", "invalid-sender"),
        ("550 Sender domain not found", "invalid-sender"),
        ("450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "reverse-dns"),
        ("504 5.5.2 <mail>: Helo command rejected: Host not found", "reverse-dns"),
        ("535 5.7.8 Username not found", "relaying-denied"),
        # the reply inside a notice that gives up
        ("retry timeout exceeded", "expired"),
        ("mailbox is full: retry timeout exceeded", "mailbox-full"),
        ("450 4.2.0 Graue Liste, bitte in 5 Minuten: retry timeout exceeded", "greylisted"),
        ("451 Erreur interne du serveur: retry timeout exceeded", "receiver-error"),
        ("452 4.2.2 Caixa postal cheia Message could not be delivered for 5 days", "mailbox-full"),
        (
            "450 4.7.1 zbyt wiele połączeń Message could not be delivered for 5 days Message will be deleted",
            "rate-limited",
        ),
        ("452 4.2.2 Mailbox full Message could not be delivered for 5 days", "mailbox-full"),
        ("Message could not be delivered for 5 days Message will be deleted from queue", "expired"),
        (
            "450 4.7.1 zbyt wiele połączeń Warning: message still undelivered after 4 hours Will keep trying",
            "rate-limited",
        ),
        (
            "554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>",
            "network-error",
        ),
        ("I'm not going to try again; this message has been in the queue too long.", "expired"),
        (
            "Unable to contact LDAP server. I'm not going to try again; it has been in the queue too long.",
            "receiver-error",
        ),
        # what the reporting program says round a reply
        ("5.1.0 - Unknown address error '5.7.1 <news@example.org>... Access denied'", "policy"),
        (
            "5.1.0 - Unknown address error 550-'5.7.1 <news@example.org>... Access denied' (delivery attempts: 0)",
            "policy",
        ),
        ("host spam.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)", "bad-mailbox"),
        ("refused to talk to me: 554 5.7.1 Service unavailable; blocked using zen.spamhaus.org", "spam-block"),
        ("The user(s) account is disabled. <user@example.com>: 550 user unknown", "inactive-mailbox"),
        # words inside addresses say nothing
        ("550 <spam-virus-full@example.com>: user unknown", "bad-mailbox"),
        ("550 <user.unknown@example.com>: mailbox is full", "mailbox-full"),
        # replies over several lines
        ("550-5.1.1 The email account that you tried\n550-5.1.1 to reach does\n550 5.1.1 not exist", "bad-mailbox"),
        # a DSN and nothing else
        ("", "unknown"),
        ("Xyzzy", "unknown"),
    ],
)
def test_words_beat_codes(text: str, category: str) -> None:
    assert category == classify(text).category


@pytest.mark.parametrize(
    ("text", "category", "class_"),
    [
        ("550 5.1.1 User unknown", "bad-mailbox", HARD),
        ("User unknown", "bad-mailbox", HARD),
        ("450 4.1.1 User unknown", "bad-mailbox", SOFT),
        ("450 User unknown", "bad-mailbox", SOFT),
        ("550 5.1.2 Host unknown", "bad-domain", HARD),
        ("4.0.0 Domain not found", "bad-domain", SOFT),
        ("551 5.1.6 The mailbox has moved, no forwarding address", "mailbox-moved", HARD),
        ("550 Address is on the suppression list", "suppressed-upstream", HARD),
        ("552 5.2.2 Mailbox full", "mailbox-full", SOFT),
        ("550 5.2.1 This account has been disabled", "inactive-mailbox", SOFT),
        ("550 Refused due to recipient preferences", "recipient-refused", SOFT),
        ("550 5.7.1 Spam", "spam-content", SOFT),
        ("550 Mailbox unavailable or access denied", "bad-mailbox", SOFT),
        ("550", "policy", SOFT),
        ("550 Zebras are not fed here", "policy", SOFT),
        ("550 Zebras are not fed by <user@example.com>", "recipient-refused", SOFT),
        ("553 This mailbox feeds no zebras", "recipient-refused", SOFT),
        ("550 Zebra: does not exist", "bad-mailbox", SOFT),
        ("556", "bad-domain", HARD),
        ("5.1.4", "bad-mailbox", SOFT),
    ],
)
def test_the_class_follows_from_category_status_and_words(text: str, category: str, class_: BounceClass) -> None:
    answer = classify(text)

    assert (category, class_) == (answer.category, answer.class_)


def test_a_transient_status_beside_a_permanent_reply_code_stays_soft() -> None:
    given = EnhancedStatus(4, 0, 0)

    assert default_classifier().classify("550 User unknown", status=given).class_ is SOFT


def test_a_rule_may_override_the_class() -> None:
    rule = Rule("r", Category.MAILBOX_FULL, class_=HARD)

    assert class_of(rule, EnhancedStatus(4, 2, 2), 452) is HARD


def test_no_rule_makes_a_senders_or_receivers_fault_hard() -> None:
    overriding = [rule for rule in load_rules().rules if rule.class_ is HARD]

    assert [rule.id for rule in overriding if CATEGORIES[rule.category].fault is not Fault.RECIPIENT] == []


@pytest.mark.parametrize("words", ["user unknown", "no such user", "mailbox not found", "domain not found", ""])
@pytest.mark.parametrize(
    "blame",
    [
        "spam", "blocked using zen.spamhaus.org", "SPF check failed", "DMARC policy", "rate limit exceeded",
        "too many connections", "no PTR record", "Sender address rejected", "virus found", "message too large",
        "greylisted", "blacklisted", "TLS is required",
    ],
)  # fmt: skip
def test_what_blames_the_sender_never_condemns_the_address(blame: str, words: str) -> None:
    for text in (f"550 5.1.1 {words}: {blame}", f"550 5.1.1 {blame}; {words}"):
        assert classify(text).class_ is SOFT, text


@pytest.mark.parametrize(
    "missing",
    ["unknown", "not known", "not found", "does not exist", "is invalid", "not registered", "cannot be verified"],
)
@pytest.mark.parametrize(
    "whose",
    ["sender", "your address", "sender domain", "from address", "return path", "envelope sender", "your mail server",
     "client host", "sending domain", "your account", "your IP"],
)  # fmt: skip
def test_a_sender_that_is_missing_never_condemns_the_address(whose: str, missing: str) -> None:
    for before in ("550 ", "550 5.1.1 <user@example.com>: Recipient address rejected: ", "550 mailbox unavailable: "):
        assert classify(f"{before}{whose} {missing}").class_ is SOFT, f"{before}{whose} {missing}"


@pytest.mark.parametrize(
    ("text", "given", "status", "code"),
    [
        ("550 5.1.1 x", None, "5.1.1", 550),
        ("5.1.0 - Unknown address error '550 5.2.2 full'", None, "5.2.2", 550),
        ("550 5.2.2 full", "5.0.0", "5.2.2", 550),
        ("550 5.2.2 full", "5.7.1", "5.7.1", 550),
        ("550 5.2.2 full", "4.0.0", "4.0.0", 550),
        ("354 go ahead 451 4.3.0 queue file write error", None, "4.3.0", 451),
        ("450 busy 551 5.1.6 not our user", None, "5.1.6", 551),
        ("250 2.0.0 ok, then 550 5.1.1 no", None, "5.1.1", 550),
        ("192.0.2.1 gave up on 10.5.1.1", None, "None", None),
        ("user unknown", None, "None", None),
    ],
)
def test_codes_that_are_not_given_are_found_in_the_text(
    text: str, given: str | None, status: str, code: int | None
) -> None:
    answer = default_classifier().classify(text, status=EnhancedStatus.parse(given) if given else None)

    assert (status, code) == (str(answer.status), answer.smtp_code)


def test_given_codes_are_used() -> None:
    answer = default_classifier().classify("Nope", status=EnhancedStatus(5, 2, 2), smtp_code=552)

    assert (Category.MAILBOX_FULL, EnhancedStatus(5, 2, 2), 552) == (answer.category, answer.status, answer.smtp_code)
    assert default_classifier().classify("Nope", smtp_code=452).category is Category.RECEIVER_FULL


def test_the_same_words_mean_more_from_a_known_provider() -> None:
    text = "550 Requested action not taken: mailbox unavailable"

    assert classify(text).class_ is SOFT
    assert classify(text, domain="outlook.com").class_ is HARD
    assert classify(text, remote_mta="mx00.gmx.net").class_ is HARD


def test_the_rule_that_decided_is_named() -> None:
    assert classify("550 5.1.1").rule == "status-x-1-1"
    assert classify("552 5.2.2 <user@example.com> mailbox full").rule == "mailbox-full"
    assert classify("").rule == NO_RULE


def test_the_default_classifier_is_made_once() -> None:
    assert default_classifier() is default_classifier()


@pytest.fixture(scope="module")
def plain() -> RuleSet:
    return read_built_in()


@pytest.fixture(scope="module")
def indexed(plain: RuleSet) -> Classifier:
    return Classifier(plain)


@settings(deadline=None)  # to ask every rule takes as long as there are rules
@given(st.data())
def test_the_index_finds_what_asking_every_rule_finds(plain: RuleSet, indexed: Classifier, data: st.DataObject) -> None:
    rules = data.draw(st.lists(st.sampled_from(plain.rules), min_size=1, max_size=3))
    words = [part for rule in rules for pattern in rule.patterns[:3] for part in pattern.split(" ") if part != "*"]
    text = " ".join(data.draw(st.permutations(words[:12])))
    answer = indexed.classify(text)
    slow = plain.first_match(Facts(folded(words_of(text)), answer.status, answer.smtp_code))

    assert answer.rule == (slow.id if slow else NO_RULE)


@given(
    st.text(max_size=400),
    st.one_of(
        st.none(), st.builds(EnhancedStatus, st.sampled_from((2, 4, 5)), st.integers(0, 999), st.integers(0, 999))
    ),
    st.one_of(st.none(), st.integers(200, 559)),
    st.one_of(st.none(), st.text(max_size=40)),
)
def test_any_text_has_one_answer(text: str, status: EnhancedStatus | None, code: int | None, name: str | None) -> None:
    answers = [
        default_classifier().classify(text, status=status, smtp_code=code, remote_mta=name, domain=name)
        for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert answers[0].category in Category


@pytest.mark.parametrize(
    "text",
    [
        "mailbox " * 125_000,
        "550 5.1.1 " * 100_000,
        "user unknown " * 80_000,
        "5.1.1." * 170_000,
        "a@b " * 250_000,
        "メ" * 1_000_000,
        "quota exceeded the mailbox * full " * 30_000,
        "".join(chr(i % 0xD7FF) for i in range(1_000_000)),
    ],
)
def test_a_hostile_text_takes_no_longer_than_its_cap(text: str) -> None:
    default_classifier()
    before = time.process_time()
    default_classifier().classify(text)

    assert time.process_time() - before < 0.25


def test_inventing_codes_fills_no_memory() -> None:
    classifier = Classifier(load_rules())
    for detail in range(5000):
        classifier.classify("no", status=EnhancedStatus(5, 1, detail))

    assert len(classifier._code_places) <= 4096


@pytest.mark.parametrize(
    ("text", "status", "category"),
    [
        ("550 Zebras are not fed here", "5.1.1", "policy"),
        ("553 Zebras are not fed here", "5.1.3", "policy"),
        ("553 Zebras are not fed by this user", "5.1.3", "recipient-refused"),
        ("550 5.1.1 Zebras are not fed here", "5.1.1", "bad-mailbox"),
        ("Zebras are not fed here", "5.1.1", "bad-mailbox"),
        ("550 user unknown", "5.1.1", "bad-mailbox"),
        ("550 Zebras are not fed here", "5.4.6", "routing-loop"),
    ],
)
def test_a_status_that_sendmail_made_up_for_a_bare_550_says_nothing(text: str, status: str, category: str) -> None:
    answer = default_classifier().classify(text, status=EnhancedStatus.parse(status))

    assert (category, status) == (answer.category, str(answer.status))


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("550 4.4.7 message expired\n550 5.1.1 <user@example.com>... User unknown", "expired"),
        ("550 Message too large\n554 5.0.0 <user@example.com>... Service unavailable", "message-too-large"),
        ("550 5.1.1 <user@example.com>... User unknown", "bad-mailbox"),
        ("<user@example.com>... User unknown", "bad-mailbox"),
    ],
)
def test_sendmails_translation_of_a_reply_is_not_the_reply(text: str, category: str) -> None:
    assert category == classify(text).category


def test_the_step_that_chasquid_names_is_no_word_of_the_reply() -> None:
    """It says RCPT of every refusal of the envelope, a refused MAIL among them."""
    for text in ("550 5.5.0 Service refuse. Veuillez essayer plus tard.", "550 Rejected"):
        assert default_classifier().classify(f"MAIL+RCPT {text}") == default_classifier().classify(text)


def test_words_of_one_provider_condemn_nobody_where_the_reply_is_cut_off() -> None:
    words = "Requested action not taken: mailbox unavailable"

    assert classify(f"550 {words}", domain="gmx.de").class_ is HARD
    assert classify(f"550-{words}\n550 See our pages", domain="gmx.de").class_ is HARD
    assert classify(f"550-{words}", domain="gmx.de").class_ is SOFT
    assert classify("550-5.1.1 User unknown, please check", domain="gmx.de").class_ is HARD
    assert classify(f"5.1.0 - Unknown address error 550-'{words}'", domain="gmx.de").class_ is HARD


def test_octets_that_exim_escapes_are_read() -> None:
    assert classify(r"550 Empf\303\244nger existiert nicht").class_ is HARD
    assert classify(r"550 \346\224\266\344\273\266\344\272\272\344\270\215\345\255\230\345\234\250").class_ is HARD


def test_an_explanation_gives_the_rule_the_words_and_what_was_beaten() -> None:
    found = default_classifier().explain("552 5.1.1 sorry, this mailbox is over quota")

    assert found.classification == classify("552 5.1.1 sorry, this mailbox is over quota")
    assert found.rule is not None
    assert (found.rule.id, found.rule.file) == ("mailbox-full", "phrases.toml")
    assert found.pattern in found.rule.patterns
    assert "status-x-1-1" in [one.id for one in found.beaten]
    assert len(found.beaten) <= 5


def test_an_explanation_gives_the_note_of_the_rule() -> None:
    found = default_classifier().explain("550 Requested action not taken: mailbox unavailable")

    assert found.rule is not None
    assert found.rule.note.startswith("The text of RFC 5321")


def test_a_text_that_no_rule_knows_is_explained_too() -> None:
    found = default_classifier().explain("Xyzzy")

    assert (found.rule, found.pattern, found.beaten) == (None, None, ())
    assert found.because == "nothing is known, so nothing condemns the address"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("550 5.1.1 User unknown", "the address itself cannot be delivered to"),
        ("450 4.1.1 User unknown", "4.1.1 is a transient code"),
        ("450 User unknown", "450 is a transient code"),
        ("552 5.2.2 Mailbox full", "the address may take mail again"),
        ("554 5.7.1 Spam", "the sender's fault"),
        ("451 4.3.0 Disk full", "the receiver's fault"),
        ("550 Mailbox unavailable or access denied", "the rule says soft"),
    ],
)
def test_an_explanation_says_why_it_is_hard_or_soft(text: str, because: str) -> None:
    assert default_classifier().explain(text).because.startswith(because)


def test_an_explanation_of_a_cut_reply_says_so() -> None:
    found = default_classifier().explain("550-Requested action: mailbox unavailable", domain="gmx.de")

    assert found.because.startswith("the reply is cut off")


@given(st.text(max_size=200), st.one_of(st.none(), st.integers(200, 559)))
def test_explaining_never_disagrees_with_classifying(text: str, code: int | None) -> None:
    classifier = default_classifier()

    assert classifier.explain(text, smtp_code=code).classification == classifier.classify(text, smtp_code=code)


@pytest.mark.parametrize(
    "text",
    [
        "550 El servidor remitente es desconocido",
        "550 O servidor remetente é desconhecido",
        "550 Le serveur expéditeur est inconnu",
        "550 Il dominio del mittente non esiste",
        "550 Ihre Absenderadresse ist ungültig, Benutzer unbekannt",
        "550 Het domein van de afzender bestaat niet",
        "550 Domena nadawcy nie została znaleziona",
        "550 Сервер отправителя неизвестен",
        "550 差出人のメールアドレスが存在しません",
        "550 发件人地址不存在",
        "550 The address in Reply-To does not exist",
        "550 5.7.1 Your account does not exist, log in first",
        "550 User unknown to SMTP AUTH",
        "550 Link in your message leads to a domain that does not exist",
        "550 Directory lookup failed: user cannot be verified right now",
        "550 Le nom donné dans HELO n'existe pas",
        "550 Uw hostnaam bestaat niet",
        "550 あなたのホスト名は存在しません",
        "550 Address unknown or IP blacklisted",
        "550 Trop de destinataires inconnus",
        "550 Message refers to an invalid mailbox in Disposition-Notification-To",
    ],
)
def test_what_is_missing_at_the_sender_or_the_server_condemns_no_reader(text: str) -> None:
    assert default_classifier().classify(text).class_ is BounceClass.SOFT


@pytest.mark.parametrize(
    "words", ["user unknown", "no such user", "mailbox not found", "address does not exist", "invalid mailbox"]
)
@pytest.mark.parametrize(
    "frame",
    [
        "550 Sender check: {}",
        "550 From header address <news@example.org>: {}",
        "550 Reply-To <news@example.org>: {}",
        "550 Verification of <news@example.org> failed: {}",
        "550 5.1.1 {} (in reply to MAIL FROM command)",
        "550 5.1.1 {} (in reply to EHLO command)",
        "550 Login failed: {}",
        "550 EHLO argument: {}",
        "550 Temporary failure, try again later: {}",
        "550 Could not determine whether {}",
        "550 {} or not accepting mail",
        "550 5.7.1 Cc recipient <other@example.net>: {}",
        "550 Bounce of a message that we did not send: {}",
        "550 Too many {} errors from your host",
        "550 Absender: {}",
        "550 Mittente: {}",
        "550 发件人: {}",
        "550 差出人: {}",
    ],
)
def test_who_names_somebody_else_too_condemns_no_reader(frame: str, words: str) -> None:
    assert classify(frame.format(words)).class_ is SOFT


def test_a_doubt_is_no_answer_where_nothing_condemns() -> None:
    assert classify("552 5.2.2 Mailbox full; the sender was told").category is Category.MAILBOX_FULL
    assert classify("550 5.1.1 Sender: user unknown").rule == "doubt-sender"
    assert classify("550 5.1.1 User unknown").class_ is HARD


def test_time_that_ran_out_condemns_no_reader() -> None:
    assert classify("5.4.7 Delivery time expired, last reply: user unknown").class_ is SOFT


@pytest.mark.parametrize(
    "text",
    [
        "550 Delivery to recipient failed: no such user",
        "550 Invalid To address",
        "550 5.1.1 User unknown, see the following URL: https://example.com/help",
        "550 5.1.1 <user@example.com>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address",
        "550 5.1.1 Your message could not be delivered: mailbox does not exist, check the spelling or your contacts",
        "550 5.1.2 Host unknown (Name server: nodomain.example: host not found)",
        "554 delivery error: dd This user doesn't have a yahoo.com account (user@example.com)",
    ],
)
def test_who_speaks_of_the_recipient_alone_is_not_doubted(text: str) -> None:
    assert classify(text).class_ is HARD


@pytest.mark.parametrize(
    ("rest", "category"),
    [
        ("550 Reject due to SPF policy. The originating IP of the message is not permitted", Category.AUTHENTICATION),
        ("550 Reject due to DMARC policy", Category.AUTHENTICATION),
        ("550 Reject due to policy violations", Category.POLICY),
        ("550 Sender address is not allowed.", Category.INVALID_SENDER),
    ],
)
def test_a_reply_that_begins_with_an_unavailable_mailbox_may_blame_the_sender(rest: str, category: Category) -> None:
    answer = classify(f"550-Requested action not taken: mailbox unavailable {rest}", domain="gmx.net")

    assert (answer.category, answer.class_) == (category, SOFT)


@pytest.mark.parametrize(
    "text",
    [
        "552 Konto użytkownika nie ma już wolnego miejsca",
        "550 No existe espacio en la cuenta de ese usuario",
        "550 Benutzer nicht gefunden, kein Platz im Speicher",
        "550 收件人不存在足够的空间",
        "550 Пользователь не найден: место закончилось",
    ],
)
def test_a_lack_of_room_is_no_lack_of_a_reader_in_any_language(text: str) -> None:
    assert classify(text).class_ is SOFT


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("550 Der Empfänger hat diesen Absender blockiert", Category.RECIPIENT_REFUSED),
        ("452 Espace disque épuisé", Category.RECEIVER_FULL),
        ("554 Bucle de correo detectado", Category.ROUTING_LOOP),
        ("451 Falha temporária na consulta DNS", Category.DNS_FAILURE),
        ("550 Il nome HELO non è risolvibile", Category.REVERSE_DNS),
        ("550 Połączenie odrzucone z powodu złej reputacji", Category.SPAM_BLOCK),
        ("Bezorging na 48 uur gestaakt", Category.EXPIRED),
        ("503 コマンドの順序が正しくありません", Category.PROTOCOL_ERROR),
        ("450 每小时发信数量超过限制", Category.RATE_LIMITED),
    ],
)
def test_borrowed_words_go_to_what_they_are_said_of(text: str, category: Category) -> None:
    assert classify(text).category is category
