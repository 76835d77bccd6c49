"""Every format by name: what is in it, what it looks like, and who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bounceproc.errors import UsageError
from bounceproc.lookup.export import mta, providers, text
from bounceproc.lookup.export.binary import fill_cdb, fill_lmdb, fill_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.lookup.export.binary import Fill
    from bounceproc.lookup.export.listed import Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write the list."""

    name: str
    about: str
    """Who reads it, in a few words."""
    line: Callable[[Listed], str | None] | None = None
    """The lines of an entry; None from it where the format cannot hold that entry."""
    batch: tuple[int, Callable[[list[Listed]], str]] | None = None
    """Entries of one request, and its body on a line."""
    fill: Fill | None = None
    """What writes a file that is no text."""
    head: str = ""
    """The head line, its end included."""
    comment: str = ""
    """What a comment begins with, where the format has comments: the stamp is in it."""
    each_once: bool = True
    """Whether each address stands there once, for its strongest entry, or each entry does."""
    domains: bool = True
    """Whether it can hold whole domains."""
    delta: bool = False
    """Whether it can hold what was added since a version: what was lifted since then cannot be said in it."""
    feed: bool = False
    """Whether it can hold the feed itself, with additions, changes and removals."""
    spare: Callable[[str], str | None] | None = None
    """The lines of an address that may be mailed although its domain is in the list; None from it where the format cannot hold it."""
    wants: Callable[[Listed], bool] = lambda _listed: True
    """Whether an entry belongs into it; others have a list of their own."""

    @property
    def spares(self) -> bool:
        """Whether it can say that a person goes on sending to an address of a listed domain."""
        return self.fill is not None or self.spare is not None

    @classmethod
    def parse(cls, name: str) -> Format:
        """Find a format by its name or one of its other names.

        Raises:
            UsageError: there is no such format.

        """
        found = FORMATS.get(ALIASES.get(name, name))
        if found is None:
            raise UsageError(f"{name!r} is no format of an export", f"There are {', '.join(FORMATS)}.")
        return found


def _mailgun(kind: str) -> Format:
    return Format(
        name=f"mailgun-{kind}",
        about=f"Mailgun, /{kind}/import",
        line=providers.mailgun_line,
        head=",".join(providers.MAILGUN[kind]) + "\n",
        domains=False,
        delta=True,
        wants=lambda listed: providers.mailgun_kind(listed) == kind,
    )


_ALL: Final = (
    Format(name="csv", about="every entry, with a head line", feed=True, each_once=False),
    Format(name="jsonl", about="every entry, one JSON object a line", feed=True, each_once=False),
    Format(name="txt", about="one address a line", line=text.address_line),
    Format(name="sha256", about="SHA-256 of each address", line=text.hash_line("sha256"), domains=False),
    Format(name="md5", about="MD5 of each address", line=text.hash_line("md5"), domains=False),
    Format(
        name="texthash",
        about="Postfix texthash:, or postmap(1)",
        line=lambda listed: mta.postfix_lines(mta.postfix_pairs(listed)),
        spare=lambda address: mta.postfix_lines(mta.postfix_spared(address)),
        comment="# ",
    ),
    Format(name="cdb", about="Postfix cdb:", fill=fill_cdb(mta.postfix_pairs, mta.postfix_spared)),
    Format(name="lmdb", about="Postfix lmdb:", fill=fill_lmdb(mta.postfix_pairs, mta.postfix_spared)),
    Format(
        name="lsearch",
        about="Exim lsearch*@",
        line=lambda listed: mta.exim_lines(mta.exim_pairs(listed)),
        spare=lambda address: mta.exim_lines(mta.exim_spared(address)),
        comment="# ",
    ),
    Format(name="exim-cdb", about="Exim cdb*@", fill=fill_cdb(mta.exim_pairs, mta.exim_spared)),
    Format(name="rspamd", about="rspamd multimap", line=mta.rspamd_lines, comment="# "),
    Format(name="sqlite", about="a snapshot for any program, Exim included", fill=fill_sqlite, each_once=False),
    Format(name="ses", about="Amazon SES bulk import", line=providers.ses_line, domains=False, delta=True),
    Format(
        name="sendgrid",
        about="SendGrid upload",
        line=providers.sendgrid_line,
        head="email\n",
        domains=False,
        delta=True,
    ),
    *map(_mailgun, providers.MAILGUN),
    Format(
        name="postmark",
        about="Postmark, one request a line",
        batch=(providers.POSTMARK_BATCH, providers.postmark_request),
        domains=False,
        delta=True,
    ),
    Format(
        name="sparkpost",
        about="SparkPost, one request a line",
        batch=(providers.SPARKPOST_BATCH, providers.sparkpost_request),
        domains=False,
        delta=True,
    ),
)
FORMATS: Final = {format_.name: format_ for format_ in _ALL}
ALIASES: Final = {"json": "jsonl", "exim": "lsearch", "postfix": "texthash", "mailgun": "mailgun-bounces"}
"""Other names that are understood."""
