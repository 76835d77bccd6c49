"""Put the house together from a configuration: the only room that knows every adapter.

Foreign libraries are heavy (SQLAlchemy 270 ms, IMAPClient 140 ms) and every command needs other ones, so adapters are imported
where they are built.
"""
# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bounceproc.address import Address
from bounceproc.errors import BounceprocError, ConfigError, TemporaryError, UsageError
from bounceproc.policies import policy_of
from bounceproc.returnpath import TokenError, strong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from socket import socket
    from threading import Event
    from typing import BinaryIO, TypeAlias

    from bounceproc.classify.categories import CategoryInfo
    from bounceproc.classify.classifier import Classifier
    from bounceproc.config import Config, Disposal, Endpoint
    from bounceproc.config import Mailbox as MailboxSection
    from bounceproc.finding import Finding
    from bounceproc.identity import Identifier
    from bounceproc.lookup.bulk.judge import Judge
    from bounceproc.lookup.follower import Follower
    from bounceproc.lookup.http.server import HttpServer
    from bounceproc.lookup.server import House
    from bounceproc.lookup.tokens import Tokens as BearerTokens
    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.ports import MessageBatch, RawMessage, Reader, Recorder, Suppression, Wanted, WatchedSource
    from bounceproc.service.beside import Beside
    from bounceproc.service.replay import Outlook
    from bounceproc.service.run import Summary
    from bounceproc.service.supervisor import Plan
    from bounceproc.service.watcher import Job
    from bounceproc.sources.imap.watching import WatchedFolder
    from bounceproc.sources.mailbox import Mailbox
    from bounceproc.sources.tokens.tokens import Tokens
    from bounceproc.store.schema import Schema
    from bounceproc.store.store import Store

    OnBatch: TypeAlias = Callable[[BatchResult, int, int | None], None]

# It logs a traceback for each header that it trips over, and its exceptions are expected where it is asked.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)

LISTEN: Final = 3600.0
"""Seconds between two looks for a signal that nobody was woken by."""

REASONS: Final = ("bounce", "complaint", "unsubscribe", "manual", "import")
"""The reasons of a suppression; whatever else a person writes is a note."""


# ---- signed return paths ---------------------------------------------------------------------------------------------


def token_secrets(config: Config) -> tuple[str, ...]:
    """The secrets of signed return paths, one a line: the first one signs, all of them verify.

    Raises:
        ConfigError: there is none.

    """
    secret = config.identity.secret
    if secret is None:
        raise ConfigError(
            "no token secret is configured",
            'Make one: openssl rand -hex 32 > token; then [identity] token_secret_file = "token".',
        )
    return tuple(line.strip() for line in secret.read().splitlines() if line.strip())


def token_delimiter(config: Config) -> str:
    """What begins an address extension at our mail server."""
    return config.identity.extension_delimiter[:1] or "+"


def return_path_mailbox(config: Config, given: str | None) -> str:
    """The mailbox that return paths lead to.

    Raises:
        UsageError: none is given, and no domain of ours is configured.

    """
    if given is None and not config.identity.domains:
        raise UsageError("it is not said where bounces go", "Name it: --mailbox bounces@example.org.")
    return given or f"bounces@{config.identity.domains[0]}"


# ---- reading, with no database ---------------------------------------------------------------------------------------


def read_messages(paths: Sequence[str], *, mbox: bool = False) -> Iterator[RawMessage]:
    """Messages from files, mboxes, Maildirs, folders of them and standard input, in a stable order."""
    from bounceproc.sources.files import read_messages as read

    return read(paths, mbox=mbox)


def read_lines(path: str) -> Iterator[str]:
    """The lines of a text file, or of standard input for `-`; bytes that are no UTF-8 are replaced."""
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as lines:
            for line in lines:
                yield line.decode(errors="replace").rstrip("\r\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "Name a text file, or - for standard input."
        ) from error


def classifier_with(rule_files: Sequence[Path] = ()) -> Classifier:
    """The built-in rules behind an operator's own.

    Raises:
        ConfigError: a rule file is wrong; `problems` has one line for each wrong place.

    """
    from bounceproc.classify.classifier import Classifier, default_classifier
    from bounceproc.classify.rules import load_rules

    return Classifier(load_rules(rule_files)) if rule_files else default_classifier()


def describer(rule_files: Sequence[Path] = ()) -> Callable[[RawMessage], dict[str, Any]]:
    """What says of one message what `classify --format jsonl` prints."""
    from bounceproc import pipeline

    return partial(pipeline.describe, classifier=classifier_with(rule_files))


def describe_reply(text: str, classifier: Classifier) -> dict[str, Any]:
    """What one SMTP reply or Diagnostic-Code says (`classify --replies`)."""
    found = classifier.classify(text)
    return {
        "text": text,
        "class": found.class_.value,
        "category": found.category.value,
        "status": str(found.status) if found.status else None,
        "smtp_code": found.smtp_code,
        "rule": found.rule,
    }


def category_info(name: str | None) -> CategoryInfo | None:
    """What a category means; None for a name that is no category of ours."""
    from bounceproc.classify.categories import CATEGORIES, Category

    return CATEGORIES[Category(name)] if name in set(Category) else None


def not_served(config: Config) -> tuple[str, ...]:
    """What the configuration asks for and this version does not do yet, one sentence each: nothing is ignored in silence."""
    notes = []
    if config.identity.secret is not None:
        try:
            strong(token_secrets(config))
        except TokenError as error:
            notes.append(
                f"identity.token_secret: no token is believed, all reports only go to the review list: {error}"
            )
        except ConfigError:
            pass  # that it cannot be read is told where the secrets are verified
    if config.identity.trusted_authserv:
        notes.append("identity.trusted_authserv: Authentication-Results are not read yet")
    if (config.retention.raw, config.retention.events) != (30, 730):
        notes.append("retention: nothing is purged yet")
    if config.stream:
        notes.append("stream: streams are not told apart yet; an unsubscribe is for all mail")
    return tuple(notes)


# ---- the store and the list ------------------------------------------------------------------------------------------


@contextmanager
def open_store(config: Config, *, dry_run: bool = False) -> Iterator[Store]:
    """The database in force, checked and ready. A dry run makes none: where there is none yet, it gets one that is thrown away.

    Raises:
        SchemaError: it is older or newer than this program.
        ConfigError: the pepper is not the one that the database was made with.
        UnavailableError: it does not answer.

    """
    from tempfile import TemporaryDirectory

    from bounceproc.store.store import Store

    url, pepper_file = config.database_url(), config.privacy.pepper_file
    with ExitStack() as held:
        if dry_run and url.startswith("sqlite") and not Path(url.partition(":///")[2]).exists():
            folder = Path(held.enter_context(TemporaryDirectory(prefix="bounceproc-")))
            url, pepper_file = f"sqlite:///{folder / 'dry-run.db'}", folder / "dry-run.pepper"
        yield held.enter_context(
            Store.open(
                url,
                pepper_file=pepper_file,
                hash_only=config.privacy.hash_only,
                surges=policy_of(config).incident,
            )
        )


@contextmanager
def open_list(config: Config) -> Iterator[Callable[..., dict[str, Suppression]]]:
    """What answers as `Suppressions.check` does, by the shortest way there is, extensions taken off where that is configured.

    Raises:
        BounceprocError: see `open_store`.

    """
    from contextlib import closing

    from bounceproc.store.direct import DirectList

    delimiter = delimiter_of(config)
    direct = DirectList.open(config.database_url(), config.privacy.pepper_file)
    if direct is not None:
        with closing(direct):
            yield partial(direct.check, delimiter=delimiter)
        return
    with open_store(config) as store:
        yield partial(store.suppressions.check, delimiter=delimiter)


def judge_of(config: Config, *, stream: str | None, now: datetime) -> Judge:
    """The whole list in memory, as it is in force now, with the database closed again."""
    from bounceproc.lookup.bulk.judge import Judge

    delimiter = delimiter_of(config)
    with open_store(config) as store:
        asked = store.suppressions
        return Judge(
            asked.standing(stream=stream, now=now),
            spared=asked.spared(stream=stream, now=now, delimiter=delimiter),
            expected=asked.count(),
            key_of_sha256=store.keys.of_sha256,
            delimiter=delimiter,
        )


def delimiter_of(config: Config) -> str | None:
    """What an extension begins with, where user+tag@ also answers for user@ (`[lookup] extension`)."""
    return config.identity.extension_delimiter if config.lookup.extension else None


def subject(text: str) -> Address:
    """An address, or a whole domain where it begins with `@`."""
    return Address.parse_domain(text) if text.strip().startswith("@") else Address.parse(text)


def scope_of(text: str) -> str:
    """`*` or `stream:NAME`.

    Raises:
        UsageError: it is neither.

    """
    if text == "*" or (text.startswith("stream:") and text[7:].strip() and text.isprintable()):
        return text
    raise UsageError(f"{text!r} is no scope", "Write '*' for all mail (quoted, for the shell's sake) or stream:NAME.")


def manual_reason(reason: str, note: str | None) -> tuple[str, str | None]:
    """The reason of an entry made by hand, and its note: words that are no reason become the note of a manual one."""
    word = reason.strip().lower()
    if word in REASONS:
        return word, note
    return "manual", "; ".join(part for part in (reason.strip(), note) if part)


def actor() -> str:
    """Who changes the list by hand: the user of this system."""
    import getpass

    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "user:unknown"


def schema(config: Config) -> Schema:
    """The schema of the database in force, which need not be one yet."""
    from bounceproc.store.schema import Schema

    return Schema(config.database_url())


# ---- policy ----------------------------------------------------------------------------------------------------------


def confirm_incident(config: Config, number: int, *, actor: str, note: str | None) -> int:
    """Let an incident's events count, under the policy in force; returns how many suppressions changed.

    Raises:
        UsageError: there is no such incident, or it was decided before.

    """
    from bounceproc.policy.decide import decide

    now, policy = datetime.now(UTC), policy_of(config)
    with open_store(config) as store:
        return store.incidents.confirm(
            number, lambda history: decide(history, policy, now), actor=actor, note=note, now=now
        )


@contextmanager
def simulated_policy(config: Config, path: Path | None) -> Iterator[Iterator[Outlook]]:
    """What the policy of another file would change; without a file, what the policy in force would, if it judged all anew."""
    from bounceproc.config import Config
    from bounceproc.service.replay import outlooks

    policy = policy_of(config, None if path is None else Config.load(path).policy)
    with open_store(config, dry_run=True) as store:
        yield outlooks(store.replays, policy, datetime.now(UTC))


@contextmanager
def simulated_rules(config: Config, rule_files: Sequence[Path]) -> Iterator[Iterator[Outlook]]:
    """What these rules, asked before the configured and the built-in ones, would change."""
    from bounceproc.service.replay import outlooks

    classifier = classifier_with((*rule_files, *config.classify.rule_files))
    with open_store(config, dry_run=True) as store:
        yield outlooks(store.replays, policy_of(config), datetime.now(UTC), classifier=classifier)


def reclassify(config: Config, *, actor: str, on_progress: Callable[[int, int | None], None]) -> tuple[int, int]:
    """Judge all that is recorded by the rules and the policy in force; returns how many events and entries changed."""
    from bounceproc.service.replay import judge_anew

    with open_store(config) as store:
        return judge_anew(
            store.replays,
            policy_of(config),
            datetime.now(UTC),
            classifier=classifier_with(config.classify.rule_files),
            actor=actor,
            on_progress=on_progress,
        )


# ---- the flow --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Runs:
    """What became of each mailbox; one that failed has a summary, too: of what was done until then."""

    summaries: list[Summary] = field(default_factory=list)
    failures: list[tuple[str, BounceprocError]] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    """Why nothing was new, by mailbox: a line for each of its folders."""

    @property
    def exit_code(self) -> int:
        """The error's own number for a single mailbox; "try again later" when one of several failed."""
        if not self.failures:
            return 0
        return self.failures[0][1].exit_code if len(self.summaries) == 1 else TemporaryError.exit_code


def run_files(
    config: Config, paths: Sequence[str], *, mbox: bool = False, dry_run: bool = False, on_batch: OnBatch | None = None
) -> Summary:
    """Ingest messages from files, or the one on standard input that an MTA delivers."""
    from bounceproc.service.run import Summary, run_once
    from bounceproc.sources.files import STDIN, FileSource
    from bounceproc.sources.piped import PipedSource

    source = PipedSource() if tuple(paths) == (STDIN,) and not mbox else FileSource(paths, mbox=mbox)
    summary = Summary(source.name)
    with open_store(config, dry_run=dry_run) as store:
        pipeline = _pipeline(config, store)
        run_once(source, store.ledger, pipeline, summary, dry_run=dry_run, on_batch=on_batch or _ignore)
    return summary


def watch_files(
    config: Config,
    paths: Sequence[str],
    *,
    mbox: bool,
    on_report: str,
    interval: float,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
    on_batch: Callable[[str, BatchResult], None],
    on_failure: Callable[[str, BounceprocError], None],
) -> list[Summary]:
    """Process what comes into files and folders until a signal ends it, behind the batch at hand.

    Raises:
        UsageError: a path is nothing that can be watched.
        TemporaryError: another process watches it.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.ports import Outcome
    from bounceproc.service.follow import Followed, Following
    from bounceproc.service.run import Summary
    from bounceproc.sources.watched.changes import Changes
    from bounceproc.sources.watched.opening import watched

    disposal = _disposal(on_report)
    with open_store(config) as store, ExitStack() as held:
        sources = [
            watched(
                path,
                mbox=mbox,
                disposals={} if disposal is None else {Outcome.REPORT: disposal},
                known=store.ledger.known,
                checkpoint=store.ledger.checkpoint,
            )
            for path in dict.fromkeys(paths)
        ]
        for source in sources:
            held.enter_context(store.lease(source.name, "files"))
        stop = held.enter_context(_stopping(on_stop))
        prefixes = tuple(source.path for source in sources)
        folders = [folder for source in sources for folder in source.folders]
        changes = Changes(folders, lambda path: path.startswith(prefixes), stop)
        on_ready()
        followed = [Followed(source, Summary(source.name)) for source in sources]
        following = Following(
            ledger=store.ledger,
            pipeline=_pipeline(config, store),
            stop=stop,
            interval=interval,
            on_batch=on_batch,
            on_failure=on_failure,
        )
        following.run(followed, changes.wait)
    return [one.summary for one in followed]


def _disposal(text: str) -> Disposal | None:
    from bounceproc.config.values import Action, Disposal, WrongValueError

    try:
        found = Disposal.parse(text)
    except WrongValueError as error:
        raise UsageError(error.what, error.advice) from error
    return None if found.action is Action.LEAVE else found


@contextmanager
def _stopping(on_stop: Callable[[], None]) -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set; a second one has the system's own effect."""
    from threading import Event, Thread

    from bounceproc.service.signals import listening

    stop, ended = Event(), Event()

    def listen() -> None:  # beside the handler, which may come in the middle of a line that is being printed
        while not ended.is_set() and not stop.is_set():
            inbox.next(LISTEN)
            if inbox.is_ending:
                stop.set()
                with suppress(OSError):  # nobody may be left who reads what is said
                    on_stop()

    with listening() as inbox:
        listener = Thread(target=listen, name="signals", daemon=True)
        listener.start()
        try:
            yield stop
        finally:
            ended.set()
            inbox.wake()
            listener.join(1)


def serve_lmtp(
    config: Config,
    *,
    listen: str | None = None,
    on_ready: Callable[[str], None],
    on_stop: Callable[[], None],
    on_batch: Callable[[BatchResult], None],
) -> Summary:
    """Take mail by LMTP until a signal ends it; what it did is the summary.

    Raises:
        ConfigError: it cannot listen as configured, or the library for it is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.receive import Receiver
    from bounceproc.service.run import Summary
    from bounceproc.sources.lmtp.listening import Door

    try:
        from bounceproc.sources.lmtp.server import serve
    except ModuleNotFoundError as error:
        advice = "Install it: pip install 'bounceproc[lmtp]'."
        raise ConfigError(f"the library for LMTP is not installed ({error.name})", advice) from error

    section = config.lmtp
    door = Door(
        _listen(listen) if listen is not None else section.listen,
        int(section.socket_mode, 8),
        section.socket_owner,
        section.allow_remote,
    )
    summary = Summary("lmtp")
    with open_store(config) as store:
        receiver = Receiver(summary.source, store.ledger, _pipeline(config, store), summary, on_batch)
        receiver.begin()
        serve(door, receiver.record, on_ready=on_ready, on_stop=on_stop)
        receiver.settle()
    return summary


def serve_lookups(config: Config, *, on_ready: Callable[[str], None], on_stop: Callable[[], None]) -> None:
    """Answer senders until a signal ends it.

    Raises:
        ConfigError: it cannot listen as configured, or a library for HTTP is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.lookup.listening import listening
    from bounceproc.lookup.tokens import Tokens
    from bounceproc.lookup.workers import spread

    section = config.serve
    tokens = Tokens.parse(section.secret.read()) if section.secret else Tokens()
    places = {
        name: place
        for name, place in (("socketmap", section.socketmap), ("policy", section.policy), ("http", section.http))
        if place is not None
    }
    _check_places(places, tokens=bool(tokens))
    with ExitStack() as held:
        opened = {name: held.enter_context(listening(place, f"serve.{name}")) for name, place in places.items()}
        path = section.snapshot_file
        if path is None and section.workers > 1:
            from tempfile import TemporaryDirectory

            path = Path(held.enter_context(TemporaryDirectory(prefix="bounceproc-"))) / "index"
        if section.workers > 1:
            with open_store(config) as store:
                _follower(store, path).load()  # the snapshot that all of them map
        ready = ", ".join(f"{name} on {place}" for name, place in places.items())

        def work(number: int) -> None:
            first = number == 0
            with open_store(config) as store:
                house = _house(
                    config, store, opened, tokens, path if first or section.workers > 1 else None, leads=first
                )
                house.run(lambda: on_ready(ready) if first else None, on_stop if first else lambda: None)

        spread(section.workers, work)


def _check_places(places: dict[str, Endpoint], *, tokens: bool) -> None:
    if not places:
        raise ConfigError("[serve] listens nowhere", "Give http, socketmap or policy a place.")
    if (http := places.get("http")) is not None:
        if not http.is_local and not tokens:
            raise ConfigError(
                f"serve.http: {http} is open to others, and there are no tokens",
                "Write tokens_file = ..., with what `bounceproc serve --new-token read NAME` prints, or listen on 127.0.0.1.",
            )
        try:
            import bounceproc.lookup.http.server  # noqa: F401 - whether it can be
        except ModuleNotFoundError as error:
            advice = "Install it: pip install 'bounceproc[serve]', or write http = \"off\"."
            raise ConfigError(f"the library for HTTP is not installed ({error.name})", advice) from error


def _follower(store: Store, path: Path | None, *, leads: bool = True) -> Follower:
    from bounceproc.lookup.follower import Follower

    return Follower(store.lookups, store.keys.id, path=path, leads=leads)


def _house(
    config: Config, store: Store, opened: dict[str, socket], tokens: BearerTokens, path: Path | None, *, leads: bool
) -> House:
    from concurrent.futures import ThreadPoolExecutor

    from bounceproc.lookup.desk import Desk
    from bounceproc.lookup.server import Door, House

    section = config.serve
    executor = ThreadPoolExecutor(4, "database")
    follower = _follower(store, path, leads=leads)
    follower.load()
    desk = Desk(
        store.keys,
        follower,
        delimiter=delimiter_of(config),
        max_staleness=section.max_staleness,
        executor=executor,
    )
    modes = {
        "socketmap": section.socketmap_on_error or section.on_error,
        "policy": section.policy_on_error or section.on_error,
        "http": section.on_error,
    }
    doors = {name: Door(name, one, modes[name].value == "open") for name, one in opened.items()}

    def http_server(door: Door) -> HttpServer:
        from bounceproc import __version__
        from bounceproc.lookup.http.gate import Gate
        from bounceproc.lookup.http.server import Backroom, HttpServer

        place = section.http
        room = Backroom(
            desk=desk,
            gate=Gate(tokens, is_local=place is not None and place.is_local, rate=section.rate_limit),
            entries=store.lookups,
            reader=store.suppressions,
            writer=_ByPrograms(store),
            counters=store.counters,
            doors=[(one.name, one.tally, one.hall) for one in doors.values()],
            executor=executor,
            version=__version__,
        )
        return HttpServer(room, door.tally, door.hall)

    streams = {name.lower(): stream for name, stream in section.streams.items()}
    return House(desk=desk, streams=streams, http_server=http_server, **doors)


@dataclass(frozen=True, slots=True)
class _ByPrograms:
    """Changes the list for programs."""

    store: Store

    def put(self, wanted: Wanted) -> bool:
        reason, note = manual_reason(wanted.reason, None)
        return self.store.suppressions.suppress(
            wanted.subject,
            scope=wanted.scope,
            reason=reason,
            until=wanted.until,
            note=note,
            actor=wanted.actor,
            now=datetime.now(UTC),
            origin="api",
        )

    def lift(self, wanted: Wanted, *, every_scope: bool) -> int:
        return self.store.suppressions.lift(
            wanted.subject,
            scope=None if every_scope else wanted.scope,
            note=wanted.reason,
            actor=wanted.actor,
            now=datetime.now(UTC),
        )


def new_token(name: str, role: str) -> tuple[str, str]:
    """A token for HTTP, and the line for the file of tokens."""
    from bounceproc.lookup.tokens import new_token as make

    return make(name, role)


def _listen(text: str) -> Endpoint:
    from bounceproc.config.values import Endpoint, WrongValueError

    try:
        return Endpoint.parse(text)
    except WrongValueError as error:
        raise UsageError(error.what, "Write 127.0.0.1:2424 or unix:PATH.") from error


def run_mailboxes(
    config: Config,
    names: Sequence[str],
    *,
    dry_run: bool = False,
    on_batch: OnBatch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Runs:
    """Poll mailboxes to their end, all folders side by side; one that fails never stops the others.

    Raises:
        ConfigError: no mailbox is configured.
        UsageError: none has this name.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.once import Once, merged

    chosen = _chosen(config, names)
    with open_store(config, dry_run=dry_run) as store, _beside(config) as reader:
        pipeline = _pipeline(config, store, reader=reader)
        once = Once(pipeline, store.ledger, dry_run=dry_run, on_batch=on_batch or _ignore, stop=stop)
        opened = {
            (section.name, folder): partial(_opened, config, section, folder, store, dry_run=dry_run)
            for section in chosen
            for folder in section.all_folders
        }
        results = once.run(opened)
        if not dry_run and not stop():
            store.due.work(policy_of(config), stop=stop)
    runs = Runs()
    for section in chosen:
        mine = [result for (name, _), result in results.items() if name == section.name]
        runs.summaries.append(merged(section.name, [result.summary for result in mine]))
        runs.failures += [(section.name, result.error) for result in mine if result.error is not None][:1]
        runs.reasons[section.name] = [f"{result.folder}: {result.why}" for result in mine if result.why]
    return runs


@contextmanager
def _opened(
    config: Config, section: MailboxSection, folder: str, store: Store, *, dry_run: bool
) -> Iterator[WatchedSource]:
    """A folder that is ours alone, and connected."""
    mailbox = _mailbox(section, folder)
    with (
        nullcontext() if dry_run else store.lease(mailbox.name, folder),
        _source(config, mailbox, store, dry_run=dry_run) as source,
    ):
        yield source


def _source(config: Config, mailbox: Mailbox, store: Store, *, dry_run: bool = False) -> WatchedFolder:
    from bounceproc.sources.imap.watching import WatchedFolder

    checkpoint = store.ledger.checkpoint(mailbox.name, mailbox.folder)
    poll = config.poll
    return WatchedFolder(mailbox, checkpoint, recheck=poll.recheck, dry_run=dry_run, attempts=poll.attempts)


def watch_mailboxes(load: Callable[[], Config], names: Sequence[str]) -> int:
    """Watch mailboxes until a signal ends it; returns the exit code. `load` reads the configuration, at each SIGHUP anew.

    Raises:
        BounceprocError: the first configuration cannot serve, or the database refuses it.

    """
    from contextlib import closing

    from bounceproc.service.notify import Notifier
    from bounceproc.service.supervisor import supervise

    with closing(Notifier()) as notifier:
        return supervise(lambda: _watch_plan(load(), names), notifier)


def _watch_plan(config: Config, names: Sequence[str]) -> Plan:
    """All that a configuration asks for, checked and opened."""
    from bounceproc.service.idle import Idle
    from bounceproc.service.logs import tell
    from bounceproc.service.supervisor import Plan

    log_as(config)
    chosen = _chosen(config, names)
    for warning in (*config.warnings, *not_served(config), *config.verify_secrets()):
        tell(logging.WARNING, warning)
    mailboxes = [_mailbox(section, folder) for section in chosen for folder in section.all_folders]
    with ExitStack() as held:
        store = held.enter_context(open_store(config))
        pipeline = _pipeline(config, store, reader=held.enter_context(_beside(config)))
        policy = policy_of(config)
        idle = Idle(lambda stop: store.due.work(policy, stop=stop).to_dict())
        jobs = tuple(_job(config, mailbox, store, pipeline, idle.work) for mailbox in mailboxes)
        return Plan(jobs, held.pop_all().close)


def _job(
    config: Config, mailbox: Mailbox, store: Store, pipeline: Pipeline, idle: Callable[[Callable[[], bool]], None]
) -> Job:
    from bounceproc.service.run import run_once
    from bounceproc.service.watcher import Job

    def round_(source: WatchedSource, summary: Summary, **options: Any) -> None:
        run_once(source, store.ledger, pipeline, summary, **options)
        idle(options["stop"])

    return Job(
        mailbox=mailbox.name,
        folder=mailbox.folder,
        lease=partial(store.lease, mailbox.name, mailbox.folder, wait=0.0),
        source=partial(_source, config, mailbox, store),
        round_=round_,
        interval=config.poll.interval,
    )


def log_as(config: Config, level: str | None = None) -> None:
    """Write the log as the configuration says, and none of its secrets."""
    from bounceproc.service import logs

    logs.set_up(form=config.log.format.value, level=level or config.log.level.value, secrets=config.secret_texts())


# ---- doctor ----------------------------------------------------------------------------------------------------------


def examine(config: Config, names: Sequence[str], *, deep: bool) -> Iterator[Finding]:
    """Look at the database and at mailboxes; only `deep` changes anything, and clears it away again.

    Raises:
        UsageError: no mailbox has this name.

    """
    from bounceproc import doctor
    from bounceproc.finding import Finding, Level
    from bounceproc.store.checkup import check_database

    chosen = _chosen(config, names) if config.mailbox or names else []
    url = config.database_url()
    yield from doctor.examine("database", lambda: check_database(url, config.privacy.pepper_file))
    if not chosen:
        advice = "Write a table [[mailbox]] with name, host, user and password_file."
        yield Finding(Level.NOTE, "configuration", "mailbox", "no mailbox is configured", advice)
    for section in chosen:
        for folder in section.all_folders:
            subject = _subject(section, folder)
            yield from doctor.examine(subject, partial(_examine_folder, section, folder, url))
            if deep:
                yield from doctor.examine(subject, partial(_rehearse, config, section, folder))


def _subject(section: MailboxSection, folder: str) -> str:
    """What a finding is about: the folder is named where there are several."""
    return f"mailbox {section.name}" + (f", {folder}" if len(section.all_folders) > 1 else "")


def _examine_folder(section: MailboxSection, folder: str, url: str) -> Iterator[Finding]:
    from bounceproc import doctor
    from bounceproc.sources.imap.checkup import check_mailbox
    from bounceproc.store.checkup import check_folder, reached

    checkpoint = None
    with suppress(BounceprocError):  # the database has findings of its own
        checkpoint = reached(url, section.name, folder)
    subject = _subject(section, folder)
    yield from doctor.examine(subject, lambda: check_mailbox(_mailbox(section, folder), checkpoint))
    with suppress(BounceprocError):
        yield from check_folder(url, section.name, folder)


def _rehearse(config: Config, section: MailboxSection, folder: str) -> Iterator[Finding]:
    from bounceproc import doctor
    from bounceproc.sources.imap.probe import Probe

    mailbox = _mailbox(section, folder)
    with open_store(config, dry_run=True) as store, store.lease(mailbox.name, mailbox.folder):
        # A poller that held the folder would record the samples for good.
        def process(ledger: Recorder, batch: MessageBatch) -> BatchResult:
            return _pipeline(config, store, ledger).process(mailbox.name, batch)

        yield from doctor.rehearse(_subject(section, folder), Probe(mailbox), store.ledger, process)


def _chosen(config: Config, names: Sequence[str]) -> list[MailboxSection]:
    if not config.mailbox:
        example = "[[mailbox]] with name, host, user and password_file"
        raise ConfigError(
            "no mailbox is configured", f"Write a table {example} into {config.source or 'bounceproc.toml'}."
        )
    known = {section.name: section for section in config.mailbox}
    for name in names:
        if name not in known:
            raise UsageError(f"no mailbox is named {name!r}", f"There are: {', '.join(known)}.")
    return [known[name] for name in names] if names else list(config.mailbox)


def _mailbox(section: MailboxSection, folder: str) -> Mailbox:
    from bounceproc.sources.mailbox import Mailbox

    return Mailbox(
        name=section.name,
        host=section.host,
        port=section.port,
        security=section.security,
        user=section.user,
        password=section.secret.read() if section.secret and section.auth.value == "password" else "",
        tokens=_tokens(section),
        folder=folder,
        batch_size=section.batch_size,
        max_message_mb=section.max_message_mb,
        ca_file=str(section.ca_file) if section.ca_file else None,
        client_cert_file=str(section.client_cert_file) if section.client_cert_file else None,
        client_key_file=str(section.client_key_file) if section.client_key_file else None,
        client_key_password=section.key_password.read() if section.key_password else None,
        allow_plaintext=section.allow_plaintext,
        on_report=section.on_report,
        on_auto_reply=section.on_auto_reply,
        on_unrecognised=section.on_unrecognised,
        on_malformed=section.on_malformed,
    )


def _tokens(section: MailboxSection) -> Tokens | None:
    """Where a mailbox's access tokens come from; None where it has a password."""
    if section.auth.value == "password":
        return None
    from bounceproc.sources.tokens.tokens import RefreshToken, Tokens

    refresh = RefreshToken(section.refresh_token) if section.refresh_token else None
    if section.auth.value == "xoauth2-google":
        from bounceproc.sources.tokens.google import Google

        return Tokens(
            Google(
                mailbox=section.name,
                user=section.user,
                service_account=section.service_account,
                client_id=section.oauth_client_id,
                client_secret=section.client_secret,
                refresh_token=refresh,
            )
        )
    from bounceproc.sources.tokens.microsoft import AUTHORITY, Microsoft

    return Tokens(
        Microsoft(
            mailbox=section.name,
            client_id=section.oauth_client_id or "",
            client_secret=section.client_secret,
            refresh_token=refresh,
            tenant=section.oauth_tenant,
            authority=section.oauth_authority or AUTHORITY,
        )
    )


def _beside(config: Config) -> Beside:
    """A process that reads messages while this one fetches and records: started where there is much to read."""
    from bounceproc.service.beside import Beside

    keep = "-" if config.privacy.hash_only else "keep"
    files = map(str, config.classify.rule_files)
    command = [sys.executable, "-m", "bounceproc.cli.beside", keep, *files]
    return Beside(command, classifier_with(config.classify.rule_files), _identifier(config))


def read_beside(questions: BinaryIO, answers: BinaryIO, rule_files: Sequence[Path], *, keep: bool) -> None:
    """What that process does. `keep` has the copies made that the ledger keeps."""
    from bounceproc.service.beside import serve
    from bounceproc.store.copies import pack

    copies = pack if keep else lambda messages: [None] * len(messages)
    serve(questions, answers, classifier_with(rule_files), copies, _identifier_with)


def _pipeline(config: Config, store: Store, ledger: Recorder | None = None, reader: Reader | None = None) -> Pipeline:
    from bounceproc.pipeline import Pipeline

    return Pipeline(
        ledger=ledger or store.ledger,
        classifier=classifier_with(config.classify.rule_files),
        policy=policy_of(config),
        clock=lambda: datetime.now(UTC),
        reader=reader,
        identifier=_identifier(config),
    )


def _identifier(config: Config) -> Identifier | None:
    """What finds our tokens; None where there is no secret, or one so short that anybody could have made them."""
    return _identifier_with(token_secrets(config)) if config.identity.secret is not None else None


def _identifier_with(secrets: tuple[str, ...]) -> Identifier | None:
    from bounceproc.identity import Identifier

    if not secrets:
        return None
    try:
        strong(secrets)
    except TokenError:
        return None
    return Identifier(secrets, lambda: datetime.now(UTC))


def _ignore(_result: BatchResult, _done: int, _total: int | None) -> None:
    """Nobody wants to know how far it is."""
