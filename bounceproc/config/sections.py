"""The tables of the configuration file, one model each: what may stand there, and what stands there by default."""
# No `from __future__ import annotations` here: pydantic reads the annotations at run time.

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from bounceproc.address import Address
from bounceproc.config.values import NAME, Action, Disposal, Endpoint, Matcher, Secret, WrongValueError, is_loopback
from bounceproc.errors import InvalidAddressError

MAX_DAYS: Final = 36_500
"""A hundred years: more is a typing error, and dates end at the year 9999."""
MAX_MESSAGES: Final = 32
"""The most that a threshold can ask for: an address's history keeps no more of one kind, so a higher one would never be met."""
MAX_BATCH_SIZE: Final = 500
"""Messages in a batch: their UIDs have to fit into one command line of 8,192 octets (RFC 9051 section 4.1.1)."""
MAX_MESSAGE_MB: Final = 50
"""Above what the large providers accept, and what a run may hold in memory of one message."""

MAX_FOLDERS: Final = 16
"""Folders of one mailbox: each has a connection of its own, and providers allow an account ten to twenty."""
MAX_SECONDS: Final = 1500
"""Seconds between two looks at a folder, at most: servers end a silent connection after half an hour (RFC 9051 section 5.4)."""
MAX_CONNECTIONS: Final = 3000
"""Conversations of LMTP at once, at most: the unit for systemd allows 4096 open files."""
MAX_MEMORY_MB: Final = 4096
"""All messages that are being received at once, at most."""
MAX_STOP_SECONDS: Final = 120
"""Seconds that the end of a server may take, at most: the unit for systemd allows 150."""
MAX_ATTEMPTS: Final = 100
"""Attempts for one message: more than a handful only delays the rest."""

RESERVED_NAMES: Final = frozenset({"files", "lmtp"})
"""Names of mailboxes that the ledger uses for its own sources."""

DNS_PORT: Final = 53

PORTS: Final = {"tls": 993, "starttls": 143, "none": 143}
"""IMAP's ports by kind of connection (RFC 8314 section 3.2, RFC 9051 section 11.1)."""


class Security(StrEnum):
    """How a connection is protected."""

    TLS = "tls"  # from the first octet
    STARTTLS = "starttls"  # from before the login on
    NONE = "none"  # not at all


class Auth(StrEnum):
    """How a mailbox is logged in to."""

    PASSWORD = "password"  # noqa: S105 - the name of a method, no password
    XOAUTH2_GOOGLE = "xoauth2-google"
    XOAUTH2_MICROSOFT = "xoauth2-microsoft"


class Mode(StrEnum):
    """Whether verdicts are applied."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Scope(StrEnum):
    """What a wish of the recipient is about."""

    ALL = "*"  # all mail
    STREAM = "stream"  # the stream of the mail that it answers, where that is known


class Weight(StrEnum):
    """What evidence of some trust may do."""

    ACTS = "acts"  # suppresses as soon as its row is met
    COUNTS = "counts"  # needs a second message on another day of receipt
    REVIEWS = "reviews"  # puts the address before a person
    IGNORED = "ignored"  # nothing


class OnError(StrEnum):
    """What a lookup answers when it cannot know."""

    OPEN = "open"  # send
    CLOSED = "closed"  # come back later


def _fail(what: str, advice: str) -> NoReturn:
    raise WrongValueError(what, advice)


def _text(value: object, advice: str) -> str:
    return value if isinstance(value, str) else _fail("is text", advice)


def _one_line(value: str) -> str:
    # A line end in a user name or a folder would start a second command on the connection.
    if re.search(r"[\x00-\x1f\x7f]", value):
        _fail("has control characters", "Write it on one line.")
    return value


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        _fail(f"{value!r} is no name", "Use letters, digits, dots, underscores and hyphens.")
    return value


def _domain(value: str) -> str:
    try:
        return Address.parse_domain(value).domain
    except InvalidAddressError as error:
        raise WrongValueError(f"{value!r} is no domain name", "Write it as in example.com.") from error


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    return values or _fail("is empty", "Name one.")


def _disposal(value: object) -> Disposal:
    if isinstance(value, Disposal):
        return value
    return Disposal.parse(_text(value, "Write leave, seen, move:FOLDER or delete."))


def _endpoint(value: object) -> Endpoint | None:
    if value is None or isinstance(value, Endpoint):
        return value
    text = _text(value, "Write 127.0.0.1:8025, unix:PATH or off.")
    return None if text == "off" else Endpoint.parse(text)


def _place_to_listen(value: object) -> Endpoint:
    found = _endpoint(value)
    return found if found is not None else _fail("is a place to listen", "Write 127.0.0.1:2424 or unix:PATH.")


DRIVERS: Final = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
"""What other programs call a PostgreSQL database, and the driver that we have."""


def database_url(text: str) -> str:
    """A database address with the driver that we have.

    Raises:
        WrongValueError: it is neither SQLite's nor PostgreSQL's.

    """
    scheme, colon, rest = text.strip().partition("://")
    scheme = DRIVERS.get(scheme, scheme)
    if not colon or scheme not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        _fail("is no database that can serve", "Write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.")
    if scheme.startswith("sqlite") and rest and not rest.startswith("/"):
        _fail("has a host name, and SQLite has no hosts", "Write sqlite:///FILE with three slashes.")
    return f"{scheme}://{rest}"


def _secret_url(value: SecretStr) -> SecretStr:
    return SecretStr(database_url(value.get_secret_value()))


def _nameserver(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    advice = "Write 127.0.0.1, 127.0.0.1:5353 or [::1]:53."
    text = _text(value, advice)
    try:
        found = Endpoint(str(ip_address(text)), DNS_PORT)
    except ValueError:
        try:
            found = Endpoint.parse(text)
            ip_address(found.host)
        except ValueError as error:
            raise WrongValueError(f"{text!r} is no address of a name server", advice) from error
    return found


def _sender(value: str) -> str:
    try:
        if "@" in value:
            return Address.parse(value).normal
        return "." * value.startswith(".") + Address.parse_domain(value.removeprefix(".")).domain
    except InvalidAddressError as error:
        raise WrongValueError(
            f"{value!r} is no sender", "Write fbl@example.com, example.com, or .example.com for all below it, too."
        ) from error


Days = Annotated[int, Field(strict=True, ge=0, le=MAX_DAYS)]
Count = Annotated[int, Field(strict=True, ge=1, le=MAX_MESSAGES)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]
Name = Annotated[str, AfterValidator(_name)]
Domains = Annotated[tuple[Annotated[str, AfterValidator(_domain)], ...], AfterValidator(_once)]
Senders = Annotated[tuple[Annotated[str, AfterValidator(_sender)], ...], AfterValidator(_some), AfterValidator(_once)]
Nameservers = tuple[Annotated[Endpoint, PlainValidator(_nameserver)], ...]
Place = Annotated[Disposal, PlainValidator(_disposal)]
Listener = Annotated[Endpoint | None, PlainValidator(_endpoint)]
File = Annotated[Path, BeforeValidator(lambda value: value or _fail("is empty", "Name a file."))]


class Section(BaseModel):
    """One table: unknown keys are errors, values never change, wrong values are not repeated in errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True, defer_build=True
    )


class Database(Section):
    """`[database]`: where the ledger and the list are."""

    url: Annotated[SecretStr, AfterValidator(_secret_url)] | None = None
    """A secret, for it may hold a password. `Config.database_url()` gives the one in force."""
    url_file: File | None = None


class Privacy(Section):
    """`[privacy]`: what is kept of addresses."""

    pepper_file: File = Path("bounceproc.pepper")
    hash_only: Flag = False


class Retention(Section):
    """`[retention]`: days until things are purged; 0 keeps them."""

    raw: Days = 30
    """Compressed copies of messages."""
    events: Days = 730
    """Events with their texts. The histories that policy counts by stay, and so does everything that it decided."""
    sent: Days = 90
    """The send ledger. Complaints come weeks after a mail."""
    observed: Days = 730
    """What policy would have done while it only observed."""
    changes: Days = 0
    """Addresses and texts in the feed of changes; what changed, when and by whom stays."""


class Mailbox(Section):
    """`[[mailbox]]`: one folder, or several, of one account on one IMAP server."""

    name: Name
    host: Text
    allow_plaintext: Flag = False
    """Lets `security = "none"` send the password over a network."""
    security: Security = Security.TLS
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = None  # type: ignore[assignment]  # _by_security fills it in
    """By default the one that belongs to `security`."""
    user: Text
    password: SecretStr | None = None
    password_file: File | None = None
    password_env: Text | None = None
    """The name of the environment variable that holds the password."""
    auth: Auth = Auth.PASSWORD
    oauth_client_id: Text | None = None
    """The application's id, as its provider shows it."""
    oauth_client_secret: SecretStr | None = None
    oauth_client_secret_file: File | None = None
    oauth_client_secret_env: Text | None = None
    oauth_refresh_token: SecretStr | None = None
    oauth_refresh_token_file: File | None = None
    """Microsoft gives a new refresh token with each use: this file is replaced by it (mode 0600)."""
    oauth_refresh_token_env: Text | None = None
    oauth_tenant: Text | None = None
    """The directory (tenant) id or domain of an organisation at Microsoft."""
    oauth_authority: Text | None = None
    """Where Microsoft gives tokens, for its national clouds."""
    oauth_service_account_file: File | None = None
    """The JSON key of a Google service account that may act for the user of this mailbox."""
    ca_file: File | None = None
    """Certification authorities (PEM) to trust instead of the system's, for servers with their own."""
    folders: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_FOLDERS), AfterValidator(_once)] | None = (
        None
    )
    """Several folders, read side by side."""
    folder: Text = None  # type: ignore[assignment]  # _by_folders fills it in
    """The only one, `INBOX` by default; the first one where there are several."""
    client_cert_file: File | None = None
    """Our own certificate (PEM, with the chain behind it), for servers that ask for one."""
    client_key_file: File | None = None
    """Its key, where it does not stand in the same file."""
    client_key_password: SecretStr | None = None
    client_key_password_file: File | None = None
    client_key_password_env: Text | None = None
    batch_size: Annotated[int, Field(strict=True, ge=1, le=MAX_BATCH_SIZE)] = MAX_BATCH_SIZE
    max_message_mb: Annotated[int, Field(strict=True, ge=1, le=MAX_MESSAGE_MB)] = MAX_MESSAGE_MB
    """Of a longer message only the head is read: what a report says stands before the mail that it returns."""
    on_report: Place = Disposal(Action.MOVE, "Processed")
    on_auto_reply: Place = Disposal(Action.LEAVE)
    on_unrecognised: Place = Disposal(Action.LEAVE)
    on_malformed: Place = Disposal(Action.MOVE, "Malformed")

    @property
    def secret(self) -> Secret | None:
        """The password; None where `auth` needs none."""
        return _secret(f"mailbox {self.name}: password", self.password, self.password_file, self.password_env)

    @property
    def client_secret(self) -> Secret | None:
        """What the application proves itself with at its provider."""
        key = f"mailbox {self.name}: oauth_client_secret"
        return _secret(key, self.oauth_client_secret, self.oauth_client_secret_file, self.oauth_client_secret_env)

    @property
    def refresh_token(self) -> Secret | None:
        """What a person gave once, for tokens without that person."""
        key = f"mailbox {self.name}: oauth_refresh_token"
        return _secret(key, self.oauth_refresh_token, self.oauth_refresh_token_file, self.oauth_refresh_token_env)

    @property
    def service_account(self) -> Secret | None:
        """The key of a service account: a secret that is always a file."""
        return _secret(f"mailbox {self.name}: oauth_service_account", None, self.oauth_service_account_file)

    @property
    def key_password(self) -> Secret | None:
        """What the key of our own certificate is encrypted with."""
        key = f"mailbox {self.name}: client_key_password"
        return _secret(key, self.client_key_password, self.client_key_password_file, self.client_key_password_env)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All secrets of this mailbox that are given."""
        given = (self.secret, self.client_secret, self.refresh_token, self.service_account, self.key_password)
        return tuple(secret for secret in given if secret is not None)

    @field_validator("oauth_authority")
    @classmethod
    def _is_https(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https://[^\s/?#@]+/?", value):
            _fail("is no https address of a host", "Write it as in https://login.microsoftonline.us.")
        return value.rstrip("/") if value else None

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value in RESERVED_NAMES:
            _fail(f"{value!r} is taken by messages from files", "Choose another name.")
        return value

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if colon and port.isdigit() and ":" not in host:
            _fail(f"{value!r} has the port in it", f'Write host = "{host}" and port = {int(port)}.')
        if re.search(r"[\s/@]", value):
            _fail(f"{value!r} is no host name", "Write the server's name, as in imap.example.com.")
        return value

    @field_validator("security")
    @classmethod
    def _is_protected(cls, value: Security, info: ValidationInfo) -> Security:
        host = info.data.get("host", "localhost")
        if value is Security.NONE and not is_loopback(host) and not info.data.get("allow_plaintext"):
            _fail(
                f"'none' would send the password to {host} for everybody to read",
                "Write tls or starttls; allow_plaintext = true insists.",
            )
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _by_security(cls, value: Any, info: ValidationInfo) -> Any:
        return PORTS[info.data.get("security", Security.TLS)] if value is None else value

    @property
    def all_folders(self) -> tuple[str, ...]:
        """Every folder that is read."""
        return self.folders or (self.folder,)

    @field_validator("folder", mode="before")
    @classmethod
    def _by_folders(cls, value: Any, info: ValidationInfo) -> Any:
        return (info.data.get("folders") or ("INBOX",))[0] if value is None else value

    @field_validator("on_report", "on_auto_reply", "on_unrecognised", "on_malformed")
    @classmethod
    def _leads_out(cls, value: Disposal, info: ValidationInfo) -> Disposal:
        only = info.data.get("folder")
        for folder in info.data.get("folders") or ((only,) if only else ()):
            if value.folder and (value.folder == folder or value.folder.upper() == folder.upper() == "INBOX"):
                _fail(f"moves messages to {folder!r}, where they are read from", "Name another folder, or write seen.")
        return value

    @field_validator("on_unrecognised", "on_malformed")
    @classmethod
    def _is_kept(cls, value: Disposal) -> Disposal:
        if value.action is Action.DELETE:
            _fail(
                "'delete' would destroy mail that nobody has read and that is not ours to judge",
                "Write leave, seen or move:FOLDER.",
            )
        return value


class Poll(Section):
    """`[poll]`: how mailboxes are read and watched."""

    interval: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)] = 60
    """Seconds between two looks at a folder whose server cannot tell of new mail."""
    recheck: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)] = 600
    """Seconds between two looks at one whose server can, and perhaps does not."""
    attempts: Annotated[int, Field(strict=True, ge=1, le=MAX_ATTEMPTS)] = 3
    """Times that a message is tried which ends the run each time; then it is parked unread."""


class LogFormat(StrEnum):
    """What a log line looks like."""

    TEXT = "text"  # for people and the journal
    JSON = "json"  # one object a line


class LogLevel(StrEnum):
    """What is worth a log line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Section):
    """`[log]`: what is written to standard error while mailboxes are watched."""

    format: LogFormat = LogFormat.TEXT
    level: LogLevel = LogLevel.INFO


class Identity(Section):
    """`[identity]`: how to know our own mail again."""

    domains: Domains = ()
    """In normal form: lower case, A-labels."""
    token_secret: SecretStr | None = None
    token_secret_file: File | None = None
    ledger: Flag = False
    """There is a send ledger: reports are held against what was sent."""
    trusted_authserv: Domains = ()
    """Hosts whose Authentication-Results count."""
    dkim: Flag = True
    """False: no signature is verified, and nothing is asked of the DNS."""
    nameservers: Nameservers = ()
    """Who is asked for public keys; empty: the name servers of the system."""
    extension_delimiter: str = "+"
    """Each of these characters may begin an address extension; empty: there are none."""

    @property
    def secret(self) -> Secret | None:
        """The key of signed return paths."""
        return _secret("identity.token_secret", self.token_secret, self.token_secret_file)

    @field_validator("extension_delimiter")
    @classmethod
    def _is_punctuation(cls, value: str) -> str:
        if not re.fullmatch(r"[!#$%&'*+/=?^_`{|}~-]*", value):
            _fail(
                f"{value!r} cannot begin an address extension",
                "Write +, -, = or another sign that an address may hold.",
            )
        return value


class Stream(Section):
    """`[[stream]]`: one kind of our mail, with suppressions of its own."""

    name: Name
    match: Annotated[Matcher, PlainValidator(Matcher.parse)]


class FeedbackLoop(Section):
    """`[[feedback_loop]]`: an operator of a feedback loop beside those that are known."""

    name: Name
    senders: Senders
    """From of the reports: an address, a domain where nobody else has mailboxes, or `.domain` for it and all below."""
    signed_by: Domains = ()
    """Signing domains (d= of DKIM) beside the domain of From."""


class Threshold(Section):
    """`[policy.ROW]`: how much evidence is enough."""

    messages: Count = 1
    """Different original messages."""
    days: Count = 1
    """Different days (UTC)."""
    span_days: Days = 0
    """Days from the first to the last of them, at least."""
    within_days: Days = 0
    """Days that a window looks back from an event; 0: for ever."""
    expires_days: Days = 0
    """Days that the suppression lasts; 0: until somebody lifts it."""
    suppress: Flag = True
    """False: what belongs to this row is recorded and suppresses nobody."""

    @field_validator("days")
    @classmethod
    def _fits_messages(cls, value: int, info: ValidationInfo) -> int:
        messages = info.data.get("messages", value)
        if value > messages:
            _fail(
                f"{messages} messages cannot come on {value} days",
                f"Set days to {messages} or less, or messages to {value}.",
            )
        return value

    @field_validator("within_days")
    @classmethod
    def _fits_window(cls, value: int, info: ValidationInfo) -> int:
        for name in ("span_days", "days"):
            needed = info.data.get(name, 0)
            if 0 < value < needed:
                _fail(
                    f"a window of {value} days is shorter than {name} ({needed})",
                    f"Set within_days to {needed} or more, or to 0 for no window.",
                )
        return value


class Wish(Threshold):
    """`[policy.complaint]`, `[policy.unsubscribe]`: what the person at the address asks for."""

    scope: Scope = Scope.ALL


class Hard(Threshold):
    """`[policy.hard]`, and a row for one category of hard bounce, which is judged by that row alone."""

    second_look_days: Days = 0
    """Days that the first message only suppresses for the time being; 0: it condemns at once."""

    @field_validator("second_look_days")
    @classmethod
    def _is_about_the_first(cls, value: int, info: ValidationInfo) -> int:
        for name, only in (("messages", 1), ("days", 1), ("expires_days", 0)):
            if value and info.data.get(name, only) != only:
                _fail(
                    f"a second look at the first message, after which it is permanent, does not go with {name} = {info.data[name]}",
                    f"Set {name} to {only}, or second_look_days to 0.",
                )
        return value


class Trusted(Section):
    """`[policy.trust]`: what evidence may do, by how far it is to be believed. What is not set follows from `[identity]`."""

    signed: Weight | None = None
    matched: Weight | None = None
    reported: Weight | None = None
    heuristic: Weight | None = None
    messages: Annotated[int, Field(strict=True, ge=2, le=MAX_MESSAGES)] = 2
    """Different messages that evidence needs which only counts."""
    days: Annotated[int, Field(strict=True, ge=2, le=MAX_MESSAGES)] = 2
    """Different days of receipt, likewise."""

    @field_validator("matched", "reported", "heuristic")
    @classmethod
    def _is_no_more_than_above(cls, value: Weight | None, info: ValidationInfo) -> Weight | None:
        order = list(Weight)
        for name in ("signed", "matched", "reported"):
            above = info.data.get(name)
            if value is not None and above is not None and order.index(value) < order.index(above):
                _fail(f"{value.value!r} is more than {name} may do, which is to be believed more", f"Set {name}, too.")
        return value

    @field_validator("days")
    @classmethod
    def _fits_messages(cls, value: int, info: ValidationInfo) -> int:
        messages = info.data.get("messages", value)
        if value > messages:
            _fail(f"{messages} messages cannot come on {value} days", f"Set messages to {value} or more.")
        return value


class Review(Section):
    """`[policy.review]`: the list of addresses that a person should look at."""

    again: Count = 3
    """New pieces of evidence that bring back what was dismissed."""
    keep_days: Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)] = 90
    """Days that an address stays on it without anything new."""


class Domain(Threshold):
    """`[policy.domain]`: when a whole domain is dead."""

    addresses: Count = 1
    """Different addresses."""

    @field_validator("addresses")
    @classmethod
    def _fits_addresses(cls, value: int, info: ValidationInfo) -> int:
        messages = info.data.get("messages", value)
        if value > messages:
            _fail(f"{messages} messages cannot be about {value} addresses", f"Set addresses to {messages} or less.")
        return value


class Incident(Section):
    """`[policy.incident]`: when a provider's refusals are so sudden that a person has to look at them first.

    Fewer recipients or days than the defaults cannot be told from an ordinary morning.
    """

    enabled: bool = True
    recipients: Annotated[int, Field(strict=True, ge=100, le=10_000_000)] = 100
    """Different recipients that one wording condemns on one day, at least."""
    days: Annotated[int, Field(strict=True, ge=7, le=28)] = 7
    """Earlier days on which the provider was heard of, at least."""
    factor: Annotated[int, Field(strict=True, ge=2, le=1000)] = 5
    """How many times the worst of those days."""


POLICY: Final[Mapping[str, Mapping[str, int | str]]] = {
    "complaint": {},
    "unsubscribe": {"scope": "stream"},
    "hard": {},
    "inactive-mailbox": {"messages": 2, "days": 2, "span_days": 1, "within_days": 30},
    "mailbox-full": {"messages": 4, "days": 4, "span_days": 14, "within_days": 60, "expires_days": 180},
    "recipient-refused": {"messages": 4, "days": 4, "span_days": 7, "within_days": 30, "expires_days": 180},
    "unknown-address": {"messages": 3, "days": 3, "span_days": 2, "within_days": 30, "expires_days": 180},
    "domain": {"messages": 6, "days": 3, "span_days": 7, "within_days": 30, "expires_days": 30, "addresses": 3},
    "incident": {},
}
"""The default thresholds. A file that gives some numbers of a row keeps the others."""


class Policy(Section):
    """`[policy]`: when evidence becomes a suppression."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    mode: Mode = Mode.ENFORCE
    trust: Trusted = Trusted()
    review: Review = Review()
    complaint: Wish
    unsubscribe: Wish
    hard: Hard
    """Every hard bounce whose category has no row of its own."""
    bad_mailbox: Hard | None = None
    bad_domain: Hard | None = None
    mailbox_moved: Hard | None = None
    suppressed_upstream: Hard | None = None
    inactive_mailbox: Threshold
    mailbox_full: Threshold
    recipient_refused: Threshold
    unknown_address: Threshold
    """Bounces that no rule knows, with a status of 5.1.X."""
    domain: Domain
    """Bounces `expired`, `network-error` and `dns-failure` of one domain."""
    incident: Incident


class Classify(Section):
    """`[classify]`: what the operator knows beyond the built-in rules."""

    rule_files: tuple[File, ...] = ()
    """Rule files of the operator's own, asked before the built-in ones, in this order."""


class Serve(Section):
    """`[serve]`: where lookups are answered; `off` for nowhere."""

    http: Listener = Endpoint("127.0.0.1", 8025)
    socketmap: Listener = Endpoint("127.0.0.1", 8026)
    policy: Listener = Endpoint("127.0.0.1", 8027)
    on_error: OnError = OnError.OPEN
    socketmap_on_error: OnError | None = None
    """What the socketmap answers in trouble, where that differs from `on_error`."""
    policy_on_error: OnError | None = None
    """The same for the policy service."""
    http_on_error: OnError | None = None
    """The same for HTTP: open answers `"suppressed": false, "known": false`, closed with 503."""
    socket_mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0660"
    """Of Unix sockets: whoever may write to one may ask."""
    socket_owner: Text | None = None
    """`USER`, `USER:GROUP` or `:GROUP` of Unix sockets; ours where it is not set."""
    max_staleness: Annotated[float, Field(gt=0)] = 60.0
    """Seconds without a word from the database after which `on_error` answers."""
    snapshot_file: File | None = None
    """Where the index is kept between starts; without it each start reads the whole list."""
    streams: dict[Text, Name] = {}
    """For the policy service: a SASL user, a sender's address or its @domain, and the stream that its mail belongs to."""
    rate_limit: Annotated[int, Field(ge=0)] = 0
    """HTTP requests of one caller in one second; 0 for no limit."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that answer side by side."""
    tokens: SecretStr | None = None
    tokens_file: File | None = None

    @property
    def secret(self) -> Secret | None:
        """The text that names who may ask and write over HTTP."""
        return _secret("serve.tokens", self.tokens, self.tokens_file)


class Lookup(Section):
    """`[lookup]`: what an address is looked up as."""

    extension: Flag = False
    """Whether user+tag@ also answers for user@."""


class Lmtp(Section):
    """`[lmtp]`: where an MTA hands mail over."""

    listen: Annotated[Endpoint, BeforeValidator(_place_to_listen)] = Endpoint("127.0.0.1", 2424)
    socket_mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0660"
    """Of a Unix socket: whoever may write to it may hand mail over."""
    socket_owner: Text | None = None
    """`USER`, `USER:GROUP` or `:GROUP` of a Unix socket; ours where it is not set."""
    allow_remote: Flag = False
    """Lets others than this machine connect, without a password: for a firewall in front of it."""
    max_connections: Annotated[int, Field(strict=True, ge=1, le=MAX_CONNECTIONS)] = 100
    """Conversations at once; the next one is told to come back. Postfix opens 20 to one destination unless told otherwise."""
    max_message_mb: Annotated[int, Field(strict=True, ge=1, le=MAX_MESSAGE_MB)] = MAX_MESSAGE_MB
    """Of a longer message only the head is kept: what a report says stands before the mail that it returns."""
    max_memory_mb: Annotated[int, Field(strict=True, ge=MAX_MESSAGE_MB + 14, le=MAX_MEMORY_MB)] = 96
    """All messages that are being received at once; what is more is told to come back. One of the longest always fits."""
    timeout: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)] = 300
    """Seconds between two commands, and for one whole message (RFC 5321 section 4.5.3.2 has 2 to 10 minutes for each)."""
    stop_timeout: Annotated[int, Field(strict=True, ge=1, le=MAX_STOP_SECONDS)] = 30
    """Seconds that open transactions have to end when the server is asked to stop or to read its configuration again."""


class Document(Section):
    """The whole file."""

    database: Database
    privacy: Privacy
    retention: Retention
    mailbox: tuple[Mailbox, ...]
    poll: Poll
    log: Log
    identity: Identity
    stream: tuple[Stream, ...]
    feedback_loop: tuple[FeedbackLoop, ...]
    classify: Classify
    policy: Policy
    serve: Serve
    lookup: Lookup
    lmtp: Lmtp


LISTS: Final = ("mailbox", "stream", "feedback_loop")
"""Tables that may stand there more than once."""


def model_of(annotation: object) -> type[BaseModel] | None:
    """The model of a field that is a table, or may be one; None for a value."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def defaults() -> dict[str, Any]:
    """The lowest layer: every table, and the values that depend on a place or on each other."""
    tree: dict[str, Any] = {name: [] if name in LISTS else {} for name in Document.model_fields}
    tree["database"] = {"url": "sqlite:///bounceproc.db"}
    tree["policy"] = {row: dict(numbers) for row, numbers in POLICY.items()}
    return tree


def _secret(key: str, text: SecretStr | None, file: Path | None, variable: str | None = None) -> Secret | None:
    if text is None and file is None and variable is None:
        return None
    return Secret(key, text.get_secret_value() if text is not None else None, file, variable)
