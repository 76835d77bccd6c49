"""A folder on an IMAP server as a mail source (RFC 9051, RFC 3501): the one room that speaks through imapclient."""

from bounceproc.sources.imap.source import ImapSource
from bounceproc.sources.mailbox import Disposal, Mailbox, Security

__all__ = ["Disposal", "ImapSource", "Mailbox", "Security"]
