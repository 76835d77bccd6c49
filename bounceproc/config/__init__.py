"""The configuration file as typed values; secrets from environment or files."""

from __future__ import annotations

from bounceproc.config.configuration import Config
from bounceproc.config.sections import (
    Auth,
    Database,
    Domain,
    Identity,
    Lookup,
    Mailbox,
    Mode,
    OnError,
    Policy,
    Privacy,
    Retention,
    Security,
    Serve,
    Stream,
    Threshold,
)
from bounceproc.config.values import Action, Disposal, Endpoint, Matcher, Secret

__all__ = [
    "Action",
    "Auth",
    "Config",
    "Database",
    "Disposal",
    "Domain",
    "Endpoint",
    "Identity",
    "Lookup",
    "Mailbox",
    "Matcher",
    "Mode",
    "OnError",
    "Policy",
    "Privacy",
    "Retention",
    "Secret",
    "Security",
    "Serve",
    "Stream",
    "Threshold",
]
