"""The configuration file as typed values; secrets from environment or files.

The names are fetched when they are asked for: pydantic costs 60 ms, and a command that reads no configuration spares them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from bounceproc.config.configuration import Config
    from bounceproc.config.sections import (
        Auth,
        Classify,
        Database,
        Domain,
        FeedbackLoop,
        Identity,
        Lmtp,
        Log,
        LogFormat,
        LogLevel,
        Lookup,
        Mailbox,
        Mode,
        OnError,
        Policy,
        Poll,
        Privacy,
        Retention,
        Security,
        Serve,
        Stream,
        Threshold,
    )
    from bounceproc.config.values import Action, Disposal, Endpoint, Matcher, Secret

_HOMES: Final = {
    "Config": "configuration",
    "Auth": "sections",
    "Classify": "sections",
    "Database": "sections",
    "Domain": "sections",
    "FeedbackLoop": "sections",
    "Identity": "sections",
    "Lmtp": "sections",
    "Log": "sections",
    "LogFormat": "sections",
    "LogLevel": "sections",
    "Lookup": "sections",
    "Mailbox": "sections",
    "Mode": "sections",
    "OnError": "sections",
    "Policy": "sections",
    "Poll": "sections",
    "Privacy": "sections",
    "Retention": "sections",
    "Security": "sections",
    "Serve": "sections",
    "Stream": "sections",
    "Threshold": "sections",
    "Action": "values",
    "Disposal": "values",
    "Endpoint": "values",
    "Matcher": "values",
    "Secret": "values",
}

__all__ = [
    "Action",
    "Auth",
    "Classify",
    "Config",
    "Database",
    "Disposal",
    "Domain",
    "Endpoint",
    "FeedbackLoop",
    "Identity",
    "Lmtp",
    "Log",
    "LogFormat",
    "LogLevel",
    "Lookup",
    "Mailbox",
    "Matcher",
    "Mode",
    "OnError",
    "Policy",
    "Poll",
    "Privacy",
    "Retention",
    "Secret",
    "Security",
    "Serve",
    "Stream",
    "Threshold",
]


def __getattr__(name: str) -> Any:
    """PEP 562: the first use of a name loads its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"bounceproc.config.{_HOMES[name]}"), name)
