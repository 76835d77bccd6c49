"""One message as the readers see it: its header, its parts by role, and whether a mail system or a person wrote it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from bounceproc.rare import Rare
from bounceproc.reports import fields
from bounceproc.reports.mime import MAX_TEXT, Headers, Part, parse
from bounceproc.reports.original import Original, cut_at
from bounceproc.reports.sought import Sought

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bounceproc.address import Address

MAX_SQUEEZED: Final = 8000
"""Characters of a notice in which phrases are looked for: what a mail system has to say stands at the top."""

MAX_BEFORE_BOUNCE: Final = 20
"""Characters that may stand in a robot's subject before what says that mail came back."""

RETURNED_TYPES: Final = frozenset(
    {
        *("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"),
        *("text/rfc822-header", "message/rfc822-headers", "text/rfc822", "message/partial"),
    }
)
"""Types under which a copy of our mail, or its header, comes back (RFC 3462, RFC 6533); the last four are misspellings."""

_MACHINE_LOCAL: Final = Rare(
    r"(?:mailer[-_. ]?daemon|mail[-_.]?daemon|mdaemon|post_?master|postmaster[\w.+-]*|mail\.delivery\.(?:sub)?system|"
    r"mail[-_.]?system|mail[-_.]?deliver\w*|delivery[-_.]?\w*|bounces?|ndr|dsn|smtpd?|mta|inetgw\d*|microsoftexchange\w+)"
)
_MACHINE_NAME: Final = Sought(
    "mail,delivery ,administra,master,microsoft outlook",
    r"(?:mail(?:er)?[ -]?(?:delivery|deliver|daemon|administrator|system)|delivery (?:sub)?system|courier mail server|system administrator|"
    r"post ?master|ndr administrator|systemadministrator|administrateur syst|administrador del sistema|microsoft outlook\b)",
)
USUAL_DAEMON: Final = Sought(
    "mailer-daemon,postmaster",
    r"[^<>@]*<(?:mailer-daemon|postmaster)@[^<>\s]+>[ \t]*|(?:mailer-daemon|postmaster)@[^<>\s]+(?:[ \t][^<>@]*)?",
)
"""How nearly all mail systems write themselves in From: one look instead of an address read and two patterns searched."""
_ROBOT: Final = Rare(
    r"(?:no-?_?reply|do-?_?not-?_?reply|noresponse|daemon|system|robot|server|list|mailman|majordomo|fml)\b.*|"
    r".*[-_.](?:admin|owner|request|robot|daemon|no-?reply|system)"
)
"""Senders whom nobody answers. Of root and admin there is too much else: what cron and backups say, and people who ask for help."""
_QUOTED: Final = Rare(r"\n[ \t]*>|wrote:[ \t]*\n|\n_{10,}[ \t]*\n|\n(?:From|Von|De): ")
_ANSWERED: Final = re.compile(
    r"(?:\[[^\]\n]{1,60}\][ \t]*)?(?:re|fwd?|aw|wg|antw?|sv|vs|tr|rv|rif|i|enc|odp|doorst|ref)(?:\[\d+\])?[ \t]*:",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT: Final = Sought(
    "deliver,return,fail,error,problem,delay,not be ,remis,stel,warning,entreg,non ,recapit,bezorgd,levere,toimitta,dostarcz,"
    "blocked,loop ,not member,notify",
    r"undeliver(?:ed|able)|returned mail|returning (?:message|mail)|return(?:ed)? to sender|failure notice|failure delivery|"
    r"deliver[yi]\w*[ -]+(?:\w+[ -]+)?(?:fail|problem|report|error|delay|abort|warning|status|notification)|(?:mail|message)[ -]+"
    r"(?:system )?(?:error|failure|problem|delayed|delivery (?:warning|failed|failure))|(?:mail|message|e-?mail)\w* (?:has )?(?:could|can) ?not be "
    r"(?:delivered|sent)|not (?:be )?(?:delivered|deliverable)|non[ -]?(?:delivery|deliverable|remis)|unzustellbar|nicht zugestellt|"
    r"(?:delivery|mail|message)[ :-]+fail(?:ed|ure)|fail(?:ed|ure)[ :-]+(?:delivery|mail|to deliver)|permanent delivery|mail failed|"
    r"warning[: -]+(?:message|could not)|no (?:se ha )?(?:podido )?entreg|no entregado|non distribu|non rem|non recapit|mancato recapito|"
    r"onbestelbaar|niet bezorgd|ej levererat|olevererbart|kunne ikke leveres|toimitta|niedostarcz|nie mo\w+ dostarcz|"
    r"не доставлено|недоставл|невозможно доставить|error sending your mail|problem delivering|"
    r"配信不能|配信でき|送信でき|エラーメール|メールエラー|エラー通知|退信|退件|無法傳遞|无法投递|未传递|系统退信|전송 실패|배달되지|"
    r"message you sent blocked|mail delivery|delivery has failed|loop (?:alert|back warning)|not member article|postmaster notify|error[- ]?message",
)
_FORWARDED: Final = Rare(r"(?:\[[^\]\n]{1,60}\][ \t]*)?(?:fwd?|wg|tr|rv|i|doorst|enc|vs)[ \t]*:", re.IGNORECASE)
_TICKET_OR_CRON: Final = Rare(r"\[[^\]\n]{0,40}(?:#|-)[ \t]?\d{1,20}\]|Cron <")
"""How ticket systems begin the subjects of what they send, before the title that a person gave; and cron, before a command."""
_COPY_FOR_POSTMASTER: Final = ("postmaster copy:", "postmaster warning:")
_TITLE_OF_A_PERSON: Final = Rare(r"[\[(].*|.*\(#\d{1,9}\)[ \t]*", re.DOTALL)
"""Subjects of trackers and forums: their name in brackets before a title that a person wrote, or the number behind it."""
_OF_LISTS: Final = (b"list-id", b"list-unsubscribe", b"list-post")
"""Headers of newsletters and lists: what a robot sends with them is mail that somebody wrote."""
_BOUNCE_AT_END: Final = Rare(r"\((?:delivery failed|undeliverable|undelivered)\)[ \t]*$", re.IGNORECASE)
"""Some gateways put what happened behind the subject of our own mail, its `Re:` included."""


_SIGNS: Final = "#_>('q-:"
"""Signs that not every notice has, the rarest first."""


class Phrases:
    """Phrases to be found in the beginning of a notice (`Mail.squeezed`), in their order.

    The outer words of a phrase may be pieces of longer ones; a space before its first word holds that one to its beginning. A
    phrase with inner words is known by the one of them that the fewest phrases have, so that of a hundred a handful is
    looked at, each in its place. The others are searched for, those with a sign where the text has that sign.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._all = [*phrases]
        self._words = [phrase.split(" ") for phrase in self._all]
        self._at = [0] * len(self._all)
        """Where in each phrase the word stands by which it is known."""
        self._by_word: dict[str, list[int]] = {}
        self._by_sign: dict[str, list[int]] = {}
        self._foreign: list[int] = []
        common = Counter(word for words in self._words for word in set(words[1:-1]))
        for place, words in enumerate(self._words):
            phrase = self._all[place]
            sign = next((sign for sign in _SIGNS if sign in phrase), "")
            if len(words) > 2:
                known_by = min(words[1:-1], key=lambda word: (common[word], -len(word)))
                self._at[place] = words.index(known_by, 1)
                self._by_word.setdefault(known_by, []).append(place)
            elif sign or phrase.isascii():
                self._by_sign.setdefault(sign, []).append(place)
            else:
                self._foreign.append(place)

    def within(self, mail: Mail) -> Iterator[int]:
        """The places of those phrases that stand in it, one after the other."""
        text, words = mail.squeezed, mail.words
        places: list[int] = []
        for sign, of_sign in self._by_sign.items():
            if sign in text:
                places += of_sign
        if not text.isascii():
            places += self._foreign
        by_word = self._by_word
        for at, word in enumerate(words):
            of_word = by_word.get(word)
            if of_word is not None:
                for place in of_word:
                    if self._stands(place, words, at):
                        places.append(place)
        places.sort()
        last = -1
        for place in places:
            if place != last and (self._at[place] or self._all[place] in text):
                yield place
            last = place

    def _stands(self, place: int, words: list[str], at: int) -> bool:
        """Whether a phrase has its place there where a text has the word that it is known by."""
        phrase = self._words[place]
        first = at - self._at[place]
        last = first + len(phrase) - 1
        if first < -1 or last >= len(words) or not words[last].startswith(phrase[-1]):
            return False
        for behind in range(1, len(phrase) - 1):
            if words[first + behind] != phrase[behind]:
                return False
        return words[first].endswith(phrase[0]) if first >= 0 else not phrase[0]


class Mail:
    """A message, read when asked for: what costs something is read once."""

    def __init__(self, data: bytes, headers: Headers, root: Part | None = None) -> None:
        """`root` is the whole message as a part, where somebody has it already."""
        self.data = data
        self.headers = headers
        self.text_at: tuple[int, int] | None = None
        """Where the first part begins and ends, as far as somebody knows that without all parts being looked at."""
        self._root = root
        self._leaves: list[Part] | None = None
        self._subject: str | None = None
        self._sender: str | None = None
        self._sender_address: Address | None = None
        self._knows_sender_address = False
        self._date: datetime | None = None
        self._knows_date = False
        self._human: str | None = None
        self._texts: str | None = None
        self._notice: str | None = None
        self._words: list[str] | None = None
        self._squeezed: str | None = None
        self._original: Original | None = None
        self._knows_original = False
        self._subject_line: str | None = None
        self._knows_subject_line = False
        self._is_answer: bool | None = None
        self._is_from_mail_system: bool | None = None
        self._is_notice: bool | None = None
        self._is_letter_of_postmaster: bool | None = None

    @classmethod
    def parse(cls, message: bytes) -> Mail:
        """Read a message from its octets. Never fails: anything is a message with some text."""
        root = parse(message)
        return Mail(root.data, root.headers, root)

    @classmethod
    def of(cls, data: bytes, block: bytes) -> Mail:
        """A message whose line ends are normalised and whose header is known already."""
        return Mail(data, Headers(block))

    @classmethod
    def inside(cls, part: Part) -> Mail:
        """The message that a message/rfc822 part carries."""
        root = Part(part.data, part.body, part.end, part.depth + 1)
        return Mail(root.data, root.headers, root)

    @property
    def root(self) -> Part:
        """The whole message as a part."""
        if self._root is None:
            self._root = parse(self.data)
        return self._root

    @property
    def leaves(self) -> list[Part]:
        """The parts that are no multiparts, attached messages unopened."""
        if self._leaves is None:
            self._leaves = self.root.leaves()
        return self._leaves

    @property
    def subject(self) -> str:
        """Subject, decoded."""
        if self._subject is None:
            self._subject = self.headers.get(b"subject")
        return self._subject

    @property
    def sender(self) -> str:
        """From as it stands, decoded."""
        if self._sender is None:
            self._sender = self.headers.get(b"from")
        return self._sender

    @property
    def sender_address(self) -> Address | None:
        """The address in From."""
        if not self._knows_sender_address:
            self._sender_address = fields.address(self.sender)
            self._knows_sender_address = True
        return self._sender_address

    @property
    def message_id(self) -> str | None:
        """Message-ID as it stands."""
        return self.headers.get(b"message-id") or None

    @property
    def date(self) -> datetime | None:
        """Date in UTC."""
        if not self._knows_date:
            self._date = fields.date(self.headers.get(b"date"))
            self._knows_date = True
        return self._date

    @property
    def human(self) -> str:
        """What the notice says to people: its first text, where that is empty the next one."""
        if self._human is None:
            self._human = self._first_text()
        return self._human

    def _first_text(self) -> str:
        if self.text_at is not None:
            begin, end = self.text_at
            first = Part(self.data, begin, end, 1, report=True)
            if first.type == "text/plain" and (text := first.text()).strip():
                return text
        for part in self.leaves:
            if part.type in ("text/plain", "text/html") or part is self.root:
                text = part.text()
                if text.strip():
                    return text
        return ""

    @property
    def texts(self) -> str:
        """All texts of the notice, one after the other, no more than `MAX_TEXT` of each."""
        if self._texts is None:
            self._texts = self._all_texts() if self.root.is_multipart else self.human
        return self._texts

    def _all_texts(self) -> str:
        found: list[str] = []
        size = 0
        for part in self.leaves:
            if (part.type in ("text/plain", "text/html") or part is self.root) and size < MAX_TEXT:
                found.append(part.text())
                size += len(found[-1])
        return "\n".join(found)

    @property
    def notice(self) -> str:
        """The words of the mail system itself: `human` without the copy of the returned mail behind it."""
        if self._notice is None:
            self._notice = self._own_words()
        return self._notice

    def _own_words(self) -> str:
        words = self.human[: cut_at(self.human)]
        if (
            self.is_answer
            and (self._has_thread or self._is_forwarded_by_postmaster)
            and (quoted := _QUOTED.search(words))
        ):
            return words[: quoted.start()]
        return words

    @property
    def squeezed(self) -> str:
        """How the notice begins, in lower case and in one line: where its phrases are looked for."""
        if self._squeezed is None:
            self._squeezed = " ".join(self.words)
        return self._squeezed

    @property
    def words(self) -> list[str]:
        """What stands between the spaces of `squeezed`."""
        if self._words is None:
            self._words = self.notice[:MAX_SQUEEZED].lower().split()
        return self._words

    @property
    def original(self) -> Original | None:
        """The copy of our own mail, attached or quoted at the end of the notice."""
        if not self._knows_original:
            self.give_original(self._copy())
        return self._original

    def give_original(self, original: Original | None) -> None:
        """Say what that copy is, for those who found it without all parts being looked at."""
        self._original = original
        self._knows_original = True

    def _copy(self) -> Original | None:
        for part in self.leaves:
            if part.type in RETURNED_TYPES:
                return Original.in_part(part)
        if not self.root.is_multipart:
            return Original.in_text(self.human, len(self.notice))
        return Original.in_text(self.texts, cut_at(self.texts))

    @property
    def subject_line(self) -> str | None:
        """The subject as it stands, in lower case; None where it has to be decoded first."""
        if not self._knows_subject_line:
            self._subject_line = self.headers.plain(b"subject")
            self._knows_subject_line = True
        return self._subject_line

    @property
    def is_answer(self) -> bool:
        """Whether the subject begins with a person's `Re:` or `Fwd:`."""
        if self._is_answer is None:
            line = self.subject_line
            self._is_answer = (line is None or ":" in line) and _ANSWERED.match(self.subject) is not None
        return self._is_answer

    @property
    def has_null_sender(self) -> bool:
        """Whether it came with the empty return path that RFC 5321 6.1 asks of a notification."""
        path = self.headers.get(b"return-path").strip()
        return path == "<>" or self.sender.rstrip().endswith("<>")

    @property
    def is_from_mail_system(self) -> bool:
        """Whether the sender calls itself a mail system."""
        if self._is_from_mail_system is None:
            self._is_from_mail_system = USUAL_DAEMON.fullmatch(self.sender) is not None or self._is_called_mail_system()
        return self._is_from_mail_system

    def _is_called_mail_system(self) -> bool:
        address = self.sender_address
        local = address.local if address else self.sender.strip("<> ").lower()
        if _MACHINE_LOCAL.fullmatch(local) or _MACHINE_NAME.search(self.sender[:200]):
            return True
        path = self.headers.get(b"return-path").strip("<> \t").lower().partition("@")[0]
        return path in ("mailer-daemon", "postmaster")

    @property
    def is_notice(self) -> bool:
        """Whether a mail system wrote this: a person who answers, quotes or forwards a bounce is not one."""
        if self._is_notice is None:
            self._is_notice = self.is_from_mail_system or self._looks_like_notice()
        return self._is_notice

    def _looks_like_notice(self) -> bool:
        if b"x-failed-recipients" in self.headers:
            return True
        if self.headers.get(b"x-ricevuta") == "errore-consegna":
            return True  # Italy's certified mail: its mail systems write under the name that people's mail has, too
        if self.is_answer:
            return bool(_BOUNCE_AT_END.search(self.subject[-100:]))
        if self.has_null_sender:
            return not _TICKET_OR_CRON.match(self.subject)
        return (
            self._is_from_robot
            and self._begins_like_bounce
            and not _TITLE_OF_A_PERSON.fullmatch(self.subject[:300])
            and not any(name in self.headers for name in _OF_LISTS)
        )

    @property
    def is_copy_for_postmaster(self) -> bool:
        """Whether Postfix shows its own operator (notify_classes) what it told somebody else, or could tell nobody."""
        return self.subject[:20].lower().startswith(_COPY_FOR_POSTMASTER)

    @property
    def tells_of_failure(self) -> bool:
        """Whether more than a postmaster's name says so: postmasters are people, and announce full disks."""
        return not self.is_letter_of_postmaster or self.original is not None

    @property
    def wraps_returned_mail(self) -> bool:
        """Whether a report that is attached to it may be its own."""
        return self.is_from_mail_system and not self.is_answer and not self.is_letter_of_postmaster

    @property
    def is_letter_of_postmaster(self) -> bool:
        """Whether nothing but a postmaster's name says that a mail system wrote this: they attach the bounces they ask about."""
        if self._is_letter_of_postmaster is None:
            self._is_letter_of_postmaster = self._is_from_postmaster and not (
                self.has_null_sender or self._is_called_bounce
            )
        return self._is_letter_of_postmaster

    @property
    def _is_from_postmaster(self) -> bool:
        return self.sender_address is not None and self.sender_address.local.lower() == "postmaster"

    @property
    def _is_called_bounce(self) -> bool:
        """Whether the subject says that mail came back."""
        return bool(_BOUNCE_SUBJECT.search(self.subject[:300]))

    @property
    def _begins_like_bounce(self) -> bool:
        """The same, and not somewhere in a sentence; languages that put the verb last are not held to that."""
        found = _BOUNCE_SUBJECT.search(self.subject[:300])
        return found is not None and (found.start() <= MAX_BEFORE_BOUNCE or not self.subject.isascii())

    @property
    def _is_forwarded_by_postmaster(self) -> bool:
        return self._is_from_postmaster and not self.has_null_sender and bool(_FORWARDED.match(self.subject))

    @property
    def _has_thread(self) -> bool:
        """Whether it belongs to a conversation: postmasters are people, too, and answer mail with the bounce quoted."""
        return b"in-reply-to" in self.headers or b"references" in self.headers

    @property
    def _is_from_robot(self) -> bool:
        """Whether nobody reads what is sent to its sender."""
        return self.sender_address is not None and _ROBOT.fullmatch(self.sender_address.local) is not None
