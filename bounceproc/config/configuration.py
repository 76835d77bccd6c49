"""The whole configuration: found, read, checked, and shown without its secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr, ValidationError

from bounceproc.config import toml
from bounceproc.config.layers import gather, rooted_url
from bounceproc.config.problems import problems_of
from bounceproc.config.sections import Document, database_url
from bounceproc.config.values import Matcher, Secret, WrongValueError, readable_by_all
from bounceproc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bounceproc.config.sections import (
        Classify,
        Database,
        FeedbackLoop,
        Identity,
        Lmtp,
        Log,
        Lookup,
        Mailbox,
        Policy,
        Poll,
        Privacy,
        Retention,
        Serve,
        Stream,
    )

HIDDEN: Final = "***"
"""What stands in place of a secret."""

_URL: Final = "database.url"
_PASSWORD_VALUE: Final = re.compile(r"[?&](?:ssl)?password=([^&]*)", re.IGNORECASE)
_PASSWORD_IN_QUERY: Final = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The values in force. Tables have the names they have in the file; paths in them are absolute."""

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
    source: Path | None
    """The file they were read from; None where the defaults serve."""
    folder: Path
    """What relative paths are relative to."""
    warnings: tuple[str, ...] = ()
    """What is strange and does no harm, one sentence each."""

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        overrides: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] = os.environ,
        cwd: Path | None = None,
    ) -> Config:
        """Read the configuration: `overrides` before the environment, the environment before the file, the file before defaults.

        Overrides are nested like the file, `{"database": {"url": ...}}`; what is None in them was not given. Their relative
        paths begin at the current folder, those of all other layers at the configuration file's folder.

        Raises:
            ConfigError: the file cannot be read, or something in it cannot be; `problems` names every wrong place.

        """
        layers = gather(path, overrides or {}, environ, (cwd or Path.cwd()).absolute())
        try:
            document, error = Document.model_validate(layers.tree), None
        except ValidationError as wrong:
            document, error = None, wrong
        problems = problems_of(layers, error)
        if problems or document is None:
            count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
            where = layers.source or "the configuration"
            raise ConfigError(f"{where} has {count}", "", tuple(problems)) from error
        tables = {name: getattr(document, name) for name in Document.model_fields}
        return cls(**tables, source=layers.source, folder=layers.folder, warnings=tuple(layers.warnings))

    def database_url(self) -> str:
        """The address of the database, password included; read from its file where it has one.

        Raises:
            ConfigError: the file cannot be read, or what stands there is no database.

        """
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        text = Secret(_URL, None, self.database.url_file).read()
        try:
            return rooted_url(database_url(text), self.folder)
        except WrongValueError as error:
            raise ConfigError(f"database.url_file: {self.database.url_file} {error.what}", error.advice) from error

    def verify_secrets(self, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
        """Read every secret once; returns warnings, such as of files that everybody can read.

        Raises:
            ConfigError: some cannot be read; `problems` names them all.

        """
        problems: list[str] = []
        for secret in self._secrets():
            try:
                secret.read(environ)
                if secret.key == _URL:
                    self.database_url()
            except ConfigError as error:
                problems.append(str(error))
        problems += self._cannot_serve()
        if problems:
            count = "one of its secrets" if len(problems) == 1 else f"{len(problems)} of its secrets"
            raise ConfigError(f"{self.source or 'the configuration'} cannot be used for {count}", "", tuple(problems))
        return tuple(self._exposed())

    def secret_texts(self) -> tuple[str, ...]:
        """Every secret that can be read, for whoever has to keep them out of something."""
        found: list[str] = []
        for secret in self._secrets():
            with suppress(ConfigError):
                found.append(secret.read())
        with suppress(ConfigError):
            found += _passwords(self.database_url())
        return tuple(found)

    def redacted(self) -> dict[str, Any]:
        """The values in force as plain ones, nested like the file; secrets are `***` and what is not set is left out."""
        tables: dict[str, Any] = {name: _plain(getattr(self, name)) for name in Document.model_fields}
        if self.database.url is not None:
            tables["database"]["url"] = hidden_url(self.database.url.get_secret_value())
        tables["serve"] = {"http": "off", "socketmap": "off", "policy": "off"} | tables["serve"]
        return tables

    def to_toml(self) -> str:
        """The values in force as TOML, secrets hidden."""
        return toml.write(self.redacted())

    def _secrets(self) -> Iterator[Secret]:
        if self.database.url_file is not None:
            yield Secret(_URL, None, self.database.url_file)
        for secret in (*(one for box in self.mailbox for one in box.secrets), self.identity.secret, self.serve.secret):
            if secret is not None:
                yield secret

    def _cannot_serve(self) -> Iterator[str]:
        url = self.database.url.get_secret_value() if self.database.url else ""
        pepper = self.privacy.pepper_file
        if url.startswith("postgresql") and not pepper.is_file():
            yield f"privacy.pepper_file: {pepper} is not there. With PostgreSQL it has to be, the same on every machine."
        if self.serve.http and not self.serve.http.is_local and self.serve.secret is None:
            yield f"serve.http: {self.serve.http} is open to others, and there are no tokens. Write tokens_file = ..., or listen on 127.0.0.1."

    def _exposed(self) -> Iterator[str]:
        for secret in self._secrets():
            if warning := secret.warning():
                yield warning
        if exposed := readable_by_all(self.privacy.pepper_file):
            yield f"privacy.pepper_file: {exposed}"
        inline = [secret for secret in self._secrets() if secret.text is not None]
        if self.source and inline and (exposed := readable_by_all(self.source)):
            yield f"{inline[0].key} stands in the configuration itself: {exposed}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = ((info.alias or name, getattr(value, name)) for name, info in type(value).model_fields.items())
        return {key: _plain(each) for key, each in fields if each is not None}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Matcher):
        return {value.kind: value.value}
    if isinstance(value, SecretStr):
        return HIDDEN
    return value if isinstance(value, bool | int | float) else str(value)


def _passwords(url: str) -> list[str]:
    """The passwords in the address of a database, as they stand there and as they are meant."""
    credentials, _, place = url.partition("://")[2].rpartition("@")
    found = [credentials.partition(":")[2], *(each[1] for each in _PASSWORD_VALUE.finditer(place))]
    return [form for each in found if each for form in (each, unquote(each))]


def hidden_url(url: str) -> str:
    """The address of a database without its password, wherever in it that stands."""
    scheme, _, rest = url.partition("://")
    # A password may hold "/", "?" and "@" that somebody forgot to escape: the last "@" before a host ends it.
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:{HIDDEN}" if colon else credentials
    return f"{scheme}://{shown}{at}{_PASSWORD_IN_QUERY.sub(lambda found: found[1] + HIDDEN, place)}"
