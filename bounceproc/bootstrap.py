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
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bounceproc.address import Address
from bounceproc.errors import AccessError, BadDataError, BounceprocError, ConfigError, TemporaryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from socket import socket
    from typing import BinaryIO, TypeAlias

    from bounceproc.classify.categories import CategoryInfo
    from bounceproc.classify.classifier import Classifier
    from bounceproc.config import Config, Disposal, Endpoint
    from bounceproc.config import Mailbox as MailboxSection
    from bounceproc.config import Policy as PolicySection
    from bounceproc.evidence.keys import Keys
    from bounceproc.evidence.weighing import Evidence
    from bounceproc.finding import Finding
    from bounceproc.identity import Identifier, OurMail
    from bounceproc.lookup.bulk.judge import Judge
    from bounceproc.lookup.follower import Follower
    from bounceproc.lookup.http.server import HttpServer
    from bounceproc.lookup.intake.makes import Defaults
    from bounceproc.lookup.server import House
    from bounceproc.lookup.tokens import Tokens as BearerTokens
    from bounceproc.pipeline import BatchResult, Pipeline
    from bounceproc.policy.settings import Policy
    from bounceproc.ports import MessageBatch, RawMessage, Reader, Recorder, Suppression, Wanted, WatchedSource
    from bounceproc.service.beside import Beside
    from bounceproc.service.idle import Idle
    from bounceproc.service.importing import Imported
    from bounceproc.service.porter import Door
    from bounceproc.service.replay import Outlook
    from bounceproc.service.run import Summary
    from bounceproc.service.sending import Remembered
    from bounceproc.service.supervisor import Plan
    from bounceproc.service.watcher import Watch
    from bounceproc.service.worker import Job
    from bounceproc.sources.imap.watching import WatchedFolder
    from bounceproc.sources.lmtp.listening import Door as Entrance
    from bounceproc.sources.mailbox import Mailbox
    from bounceproc.sources.tokens.tokens import Tokens
    from bounceproc.sources.watched.folder import FolderSource
    from bounceproc.sources.watched.growing import MboxSource
    from bounceproc.store.auditing import Head
    from bounceproc.store.schema import Schema
    from bounceproc.store.store import Store

    OnBatch: TypeAlias = Callable[[BatchResult, int, int | None], None]

# It logs a traceback for each header that it trips over, and its exceptions are expected where it is asked.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)

ACTOR_LIMIT: Final = 200
"""Characters of a name that somebody acts for."""

REASONS: Final = ("bounce", "complaint", "unsubscribe", "manual", "import")
"""The reasons of a suppression; whatever else a person writes is a note."""


# ---- policy ----------------------------------------------------------------------------------------------------------


def policy_of(config: Config, rows: PolicySection | None = None) -> Policy:
    """The policy of a configuration, or of other rows with what this one knows of our mail. Reading mail takes none."""
    from bounceproc import policies

    return policies.policy_of(config, rows)


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


# ---- evidence: DKIM and Authentication-Results -----------------------------------------------------------------------


def evidence_of(config: Config) -> Evidence | None:
    """What reports are held against; None where nobody would be judged differently for it."""
    from bounceproc.evidence.operators import Operator, built_in
    from bounceproc.evidence.weighing import Evidence
    from bounceproc.policies import deciding_on_trust

    decides = deciding_on_trust(policy_of(config))
    if decides is None:
        return None
    named = [Operator(one.name, one.senders, one.signed_by) for one in config.feedback_loop]
    keys, verifies = _verification(config)
    return Evidence(
        operators=built_in().joined(named),
        domains=frozenset(config.identity.domains),
        trusted=frozenset(config.identity.trusted_authserv),
        keys=keys,
        verifies=verifies,
        decides=decides,
    )


def _verification(config: Config) -> tuple[Keys | None, Callable[..., bool] | None]:
    """Where public keys come from, and what verifies with them; neither, where it is not wanted or not installed."""
    if not config.identity.dkim:
        return None, None
    try:
        from bounceproc.evidence.keys import Keys
        from bounceproc.evidence.verifying import verifies
    except ModuleNotFoundError:
        return None, None
    return Keys([(one.host, one.port) for one in config.identity.nameservers]), verifies


def evidence_notes(config: Config) -> list[str]:
    """What cannot be proved because a library is missing."""
    from importlib.util import find_spec

    from bounceproc.policies import deciding_on_trust

    is_wanted = config.identity.dkim and deciding_on_trust(policy_of(config)) is not None
    if not is_wanted or all(find_spec(library) is not None for library in ("dkim", "dns")):
        return []
    return ["identity.dkim: no signature is verified, for the library is not installed: pip install 'bounceproc[dkim]'"]


# ---- the send ledger -------------------------------------------------------------------------------------------------


def import_sent(
    config: Config, path: str, *, rejects: Path | None, on_progress: Callable[[int, int | None], None]
) -> Remembered:
    """Put a file of sent mails into the send ledger.

    Raises:
        ConfigError: no send ledger is configured.
        UsageError, BadDataError: the file cannot be read, is another sort of file, or is the one for bad rows, too.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.sending import remember
    from bounceproc.sources.rows import read_rows, size

    if not config.identity.ledger:
        raise ConfigError("there is no send ledger: nothing would ask it", "Write [identity] ledger = true.")
    total = size(path)
    where = rejects or Path(path).parent / f"{Path(path).stem if path != '-' else 'sent'}.rejects.csv"
    if path != "-" and where.resolve() == Path(path).resolve():
        raise UsageError(f"{where} is the file of sent mails itself", "Name another file with --rejects.")
    with open_store(config) as store:
        return remember(
            read_rows(path, needed=("message_id", "recipient")),
            partial(store.sent.add, digest=_recipient_digest(config)),
            rejects=where,
            now=datetime.now(UTC),
            on_progress=lambda done: on_progress(done, total),
        )


def _recipient_digest(config: Config) -> Callable[[Address], str] | None:
    """What makes the hash of a recipient in return paths that have no room for him; None where nothing is signed."""
    from bounceproc.returnpath import digest

    secrets = _sound_secrets(config)
    return partial(digest, secrets=secrets) if secrets else None


@dataclass(frozen=True, slots=True)
class _BySenders:
    """Remembers for programs what they sent."""

    store: Store
    digest: Callable[[Address], str] | None

    def sent(self, messages: Sequence[Mapping[str, object]]) -> int:
        from bounceproc.sentmail import SentMail

        now, mails = datetime.now(UTC), []
        for number, row in enumerate(messages):
            try:
                mails.append(SentMail.of(row, now))
            except BadDataError as error:
                raise BadDataError(f"messages[{number}]: {error.what}") from error
        return self.store.sent.add(mails, digest=self.digest)


# ---- our own mail, known again ---------------------------------------------------------------------------------------


def _our_mail(config: Config) -> OurMail:
    from bounceproc.identity import OurMail
    from bounceproc.streams import Stream, Streams

    streams = [Stream(one.name, one.match.kind, one.match.value) for one in config.stream]
    return OurMail(_sound_secrets(config), Streams(streams, config.identity.extension_delimiter))


def _sound_secrets(config: Config) -> tuple[str, ...]:
    """The token secrets; none where there is none, or one so short that anybody could have made the tokens."""
    if config.identity.secret is None:
        return ()
    from bounceproc.returnpath import TokenError, strong

    try:
        return tuple(strong(token_secrets(config)))
    except TokenError:
        return ()


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
    from bounceproc.meaning import describe

    classifier = classifier_with(rule_files)
    return lambda message: describe(message, classifier)


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
        from bounceproc.returnpath import TokenError, strong

        try:
            strong(token_secrets(config))
        except TokenError as error:
            notes.append(
                f"identity.token_secret: no token is believed, all reports only go to the review list: {error}"
            )
        except ConfigError:
            pass  # that it cannot be read is told where the secrets are verified
    notes += evidence_notes(config)
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


# ---- lists that come in, and the audit ---------------------------------------------------------------------------------


def actor_for(name: str | None) -> str:
    """Who changes the list by hand, for whomever they say they do it: the user of this system is named in any case.

    Raises:
        UsageError: the name cannot be shown, or holds an address.

    """
    if name is None or not name.strip():
        return actor()
    if "@" in name:
        raise UsageError("the actor holds an address, which `forget` would not find", "Write a name or a ticket.")
    if not name.isprintable() or len(name) > ACTOR_LIMIT:
        raise UsageError("the actor has signs that cannot be printed, or is too long", "Write a name or a ticket.")
    return f"{name.strip()} ({actor()})"


def import_list(
    config: Config,
    path: Path,
    given: Defaults,
    *,
    actor: str,
    make: str | None,
    encoding: str | None,
    rejects: Path | None,
    dry_run: bool,
    on_progress: Callable[[int, int | None], None],
) -> Imported:
    """Bring a list of another service, or of people, onto ours; see `import_file`."""
    from bounceproc.service.importing import import_file

    now = datetime.now(UTC)
    with open_store(config, dry_run=dry_run) as store:
        return import_file(
            path,
            given,
            partial(store.suppressions.load, actor=actor, now=now, dry_run=dry_run),
            make=make,
            encoding=encoding,
            rejects=rejects,
            write_rejects=not dry_run,
            on_progress=on_progress,
        )


def head_of_audit(text: str) -> Head:
    """A head that was noted.

    Raises:
        UsageError: it is none.

    """
    from bounceproc.store.auditing import Head

    return Head.parse(text)


def seal_after_upgrade(config: Config) -> str:
    """Seal the feed of a database from before the days of seals; says what was done, or what is to be done."""
    try:
        with open_store(config) as store:
            _, count = store.audit.seal(only_begin=True)
    except (ConfigError, AccessError) as error:
        return f"the feed of changes is not sealed: {error.what}. Put that right, then: bounceproc audit seal"
    return f"{count} changes of the list are sealed now" if count else "the feed of changes is sealed already"


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
    """Judge all that is recorded by the rules and the policy in force; returns how many events and entries changed.

    Raises:
        UsageError: the policy only observes.

    """
    return _judge_anew(config, classifier_with(config.classify.rule_files), actor=actor, on_progress=on_progress)


def apply_policy(config: Config, *, actor: str, on_progress: Callable[[int, int | None], None]) -> int:
    """Decide all that is recorded, as it was classified, by the policy in force; returns how many entries changed.

    Raises:
        UsageError: the policy only observes.

    """
    return _judge_anew(config, None, actor=actor, on_progress=on_progress)[1]


def _judge_anew(
    config: Config, classifier: Classifier | None, *, actor: str, on_progress: Callable[[int, int | None], None]
) -> tuple[int, int]:
    from bounceproc.service.replay import judge_anew

    policy = policy_of(config)
    if not policy.enforce:
        raise UsageError(
            'the policy only observes: [policy] mode = "observe"',
            'Write mode = "enforce" for it to be applied; --dry-run says what that would do.',
        )
    with open_store(config) as store:
        return judge_anew(
            store.replays, policy, datetime.now(UTC), classifier=classifier, actor=actor, on_progress=on_progress
        )


# ---- privacy ---------------------------------------------------------------------------------------------------------


def forget(
    config: Config,
    subjects: Sequence[Address],
    *,
    reason: str | None,
    now: datetime,
    dry_run: bool,
    on_progress: Callable[[int, int | None], None],
) -> Mapping[str, int]:
    """Erase the plaintext of people and keep their suppression; returns how many rows changed, by what they are.

    Raises:
        UsageError: one of them is a whole domain.
        TemporaryError: traces are left in the SQLite file, since others read it all the time.

    """
    from bounceproc.store.forgetting import Request

    with open_store(config, dry_run=dry_run) as store:
        request = Request(tuple(subjects), actor(), reason, now, dry_run=dry_run)
        return store.forgetting.forget(request, on_progress=on_progress)


def limits(config: Config) -> dict[str, timedelta]:
    """How long each kind of data is kept; what is kept for ever is left out."""
    days = {**dict(config.retention), "review": config.policy.review.keep_days}
    return {name: timedelta(days=number) for name, number in days.items() if number}


def purge(
    config: Config, *, now: datetime, dry_run: bool, on_progress: Callable[[int, int | None], None]
) -> Mapping[str, int]:
    """Purge all that is over its time; returns how much, by kind."""
    with open_store(config, dry_run=dry_run) as store:
        foreseen = store.purging.counts(limits(config), now)
        if dry_run:
            return foreseen
        total = sum(foreseen.values())
        return store.purging.work(limits(config), now, on_progress=lambda done: on_progress(done, max(done, total)))


def _beside_mail(config: Config, store: Store, stop: Callable[[], bool]) -> dict[str, int]:
    """What a poller does when there is no mail: what is due, and a bit of what is over its time."""
    from bounceproc.store.purging import BIT

    done = store.due.work(policy_of(config), stop=stop).to_dict()
    purged = store.purging.work(limits(config), datetime.now(UTC), batches=BIT, stop=stop)
    return done | {f"{name} purged": count for name, count in purged.items()}


# ---- the flow --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tools:
    """What all that goes on for years works with."""

    store: Store
    pipeline: Pipeline
    idle: Idle
    held: ExitStack
    """Closed when the work has ended."""

    def round(self, source: WatchedSource, summary: Summary, **options: Any) -> None:
        """Read a source to its end, and do what is due."""
        from bounceproc.service.run import run_once

        run_once(source, self.store.ledger, self.pipeline, summary, **options)
        self.idle.work(options["stop"])


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
    load: Callable[[], Config], paths: Sequence[str], *, mbox: bool, on_report: str, interval: float
) -> tuple[int, list[Summary]]:
    """Process what comes into files and folders until a signal ends it; the exit code, and what was done at each of them.

    `load` reads the configuration, at each SIGHUP anew.

    Raises:
        UsageError: a path is nothing that can be watched.
        BounceprocError: the first configuration cannot serve, or the database refuses it.

    """
    from bounceproc.ports import Outcome
    from bounceproc.service.run import Summary

    disposal = _disposal(on_report)
    options = {
        "mbox": mbox,
        "disposals": {} if disposal is None else dict.fromkeys((Outcome.REPORT, Outcome.OWN_REFUSAL), disposal),
    }
    totals: dict[str, Summary] = {}

    def jobs(tools: _Tools) -> Iterator[Watch]:
        for path in dict.fromkeys(paths):
            name = _watched(tools.store, path, options).name
            source = partial(_filling, tools.store, path, options)
            yield _file_watch(tools, source, totals.setdefault(name, Summary(name)), interval)

    code = _supervise(lambda: _plan(load(), jobs, one="place", many="places"))
    return code, list(totals.values())


def _file_watch(
    tools: _Tools, source: Callable[[], AbstractContextManager[WatchedSource]], total: Summary, interval: float
) -> Watch:
    from bounceproc.service.watcher import Watch

    return Watch(
        mailbox=total.source,
        folder=None,
        lease=partial(tools.store.lease, total.source, "files", wait=0.0),
        source=source,
        round_=tools.round,
        interval=interval,
        total=total,
    )


def _filling(store: Store, path: str, options: dict[str, Any]) -> AbstractContextManager[WatchedSource]:
    """A place under watch, from where it was left: only whoever holds its lease knows where that is."""
    from bounceproc.sources.watched.filling import filling

    return filling(_watched(store, path, options))


def _watched(store: Store, path: str, options: dict[str, Any]) -> FolderSource | MboxSource:
    from bounceproc.sources.watched.opening import watched

    return watched(path, known=store.ledger.known, checkpoint=store.ledger.checkpoint, **options)


def _disposal(text: str) -> Disposal | None:
    from bounceproc.config.values import Action, Disposal, WrongValueError

    try:
        found = Disposal.parse(text)
    except WrongValueError as error:
        raise UsageError(error.what, error.advice) from error
    return None if found.action is Action.LEAVE else found


def serve_lmtp(load: Callable[[], Config], *, listen: str | None = None) -> tuple[int, Summary]:
    """Take mail by LMTP until a signal ends it; the exit code, and what was done. `load` reads the configuration, at each SIGHUP anew.

    Raises:
        ConfigError: it cannot listen as configured, or the library for it is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.service.run import Summary
    from bounceproc.sources.lmtp.listening import Entrances

    summary, entrances = Summary("lmtp"), Entrances()
    place = _listen(listen) if listen is not None else None

    def plan() -> Plan:
        config = load()

        def jobs(tools: _Tools) -> Iterator[Door]:
            yield _door(tools, config, summary, lambda door: tools.held.enter_context(entrances.at(door)), place)

        return _plan(config, jobs, one="door", many="doors")

    return _supervise(plan), summary


def _door(
    tools: _Tools, config: Config, summary: Summary, enter: Callable[[Entrance], socket], place: Endpoint | None
) -> Door:
    from bounceproc.service.porter import Door
    from bounceproc.service.receive import Receiver
    from bounceproc.sources.lmtp.hall import Hall
    from bounceproc.sources.lmtp.listening import Door as Entrance

    try:
        from bounceproc.sources.lmtp.server import serve
    except ModuleNotFoundError as error:
        advice = "Install it: pip install 'bounceproc[lmtp]'."
        raise ConfigError(f"the library for LMTP is not installed ({error.name})", advice) from error

    section = config.lmtp
    endpoint = place or section.listen
    opened = enter(Entrance(endpoint, int(section.socket_mode, 8), section.socket_owner, section.allow_remote))

    def serve_here(record: Callable[[Sequence[RawMessage]], None], **options: Any) -> None:
        hall = Hall(
            max_connections=section.max_connections,
            max_in_flight=section.max_memory_mb * 1024 * 1024,
            max_message=section.max_message_mb * 1024 * 1024,
            talk_timeout=section.timeout,
            stop_timeout=section.stop_timeout,
        )
        serve(opened, hall, record, **options)

    return Door(
        name=summary.source,
        place=str(endpoint),
        serve=serve_here,
        receiver=partial(Receiver, summary.source, tools.store.ledger, tools.pipeline, summary),
        idle=tools.idle.work,
    )


def serve_lookups(config: Config, *, on_ready: Callable[[str], None], on_stop: Callable[[], None]) -> None:
    """Answer senders until a signal ends it.

    Raises:
        ConfigError: it cannot listen as configured, or a library for HTTP is not installed.
        BounceprocError: the database cannot be used at all.

    """
    from bounceproc.lookup.tokens import Tokens
    from bounceproc.lookup.workers import spread
    from bounceproc.sockets import listening

    section = config.serve
    tokens = Tokens.parse(section.secret.read()) if section.secret else Tokens()
    places = {
        name: place
        for name, place in (("socketmap", section.socketmap), ("policy", section.policy), ("http", section.http))
        if place is not None
    }
    _check_places(places, tokens=bool(tokens))
    with ExitStack() as held:
        mode, owner = int(section.socket_mode, 8), section.socket_owner
        opened = {
            name: held.enter_context(listening(place, f"serve.{name}", mode=mode, owner=owner))
            for name, place in places.items()
        }
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
        "http": section.http_on_error or section.on_error,
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
            sent=_BySenders(store, _recipient_digest(config)) if config.identity.ledger else None,
            counters=store.counters,
            doors=[(one.name, one.tally, one.hall) for one in doors.values()],
            executor=executor,
            version=__version__,
        )
        return HttpServer(room, door.tally, door.hall, is_open=door.is_open)

    streams = {name.lower(): stream for name, stream in section.streams.items()}
    return House(desk=desk, streams=streams, http_server=http_server, **doors)


@dataclass(frozen=True, slots=True)
class _ByPrograms:
    """Changes the list for programs."""

    store: Store

    def put(self, wanted: Wanted) -> bool:
        reason, note = manual_reason(wanted.reason, wanted.note)
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
            consent=wanted.consent,
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
            _beside_mail(config, store, stop)
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
    from bounceproc.service.logs import tell

    def plan() -> Plan:
        config = load()
        log_as(config)
        sections = _chosen(config, names)
        for warning in config.verify_secrets():
            tell(logging.WARNING, warning)
        mailboxes = [_mailbox(section, folder) for section in sections for folder in section.all_folders]

        def jobs(tools: _Tools) -> Iterator[Watch]:
            return (_folder_watch(tools, config, mailbox) for mailbox in mailboxes)

        return _plan(config, jobs)

    return _supervise(plan)


def _folder_watch(tools: _Tools, config: Config, mailbox: Mailbox) -> Watch:
    from bounceproc.service.watcher import Watch

    return Watch(
        mailbox=mailbox.name,
        folder=mailbox.folder,
        lease=partial(tools.store.lease, mailbox.name, mailbox.folder, wait=0.0),
        source=partial(_source, config, mailbox, tools.store),
        round_=tools.round,
        interval=config.poll.interval,
    )


def _supervise(plan: Callable[[], Plan]) -> int:
    """Do what a plan asks for until a signal ends it; returns the exit code."""
    from contextlib import closing

    from bounceproc.service.notify import Notifier
    from bounceproc.service.supervisor import supervise

    with closing(Notifier()) as notifier:
        return supervise(plan, notifier)


def _plan(config: Config, jobs: Callable[[_Tools], Iterable[Job]], **names: str) -> Plan:
    """All that a configuration asks for, checked and opened."""
    from bounceproc.service.idle import Idle
    from bounceproc.service.logs import tell
    from bounceproc.service.supervisor import Plan

    log_as(config)
    for warning in (*config.warnings, *not_served(config)):
        tell(logging.WARNING, warning)
    with ExitStack() as held:
        store = held.enter_context(open_store(config))
        pipeline = _pipeline(config, store, reader=held.enter_context(_beside(config)))
        idle = Idle(partial(_beside_mail, config, store))
        made = tuple(jobs(_Tools(store, pipeline, idle, held)))
        return Plan(made, held.pop_all().close, **names)


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
    from bounceproc.store.checkup import check_database, check_privacy

    chosen = _chosen(config, names) if config.mailbox or names else []
    url = config.database_url()
    yield from doctor.examine("database", lambda: check_database(url, config.privacy.pepper_file))
    with suppress(BounceprocError):  # the database has findings of its own
        yield from check_privacy(url, limits=limits(config), hash_only=config.privacy.hash_only, now=datetime.now(UTC))
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
        weigher=evidence_of(config),
        sent=config.identity.ledger,
    )


def _identifier(config: Config) -> Identifier | None:
    """What knows our own mail again; None where nothing is known of it."""
    ours = _our_mail(config)
    return _identifier_with(ours) if ours else None


def _identifier_with(ours: OurMail) -> Identifier:
    from bounceproc.identity import Identifier

    return Identifier(ours, lambda: datetime.now(UTC))


def _ignore(_result: BatchResult, _done: int, _total: int | None) -> None:
    """Nobody wants to know how far it is."""
