"""What a configuration says of our own mail: secrets of return paths, streams, and the evidence that reports are held against."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from bounceproc.bootstrap.database import policy_of
from bounceproc.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bounceproc.address import Address
    from bounceproc.config import Config
    from bounceproc.evidence.keys import Keys
    from bounceproc.evidence.weighing import Evidence
    from bounceproc.identity import Identifier, OurMail


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


def recipient_digest(config: Config) -> Callable[[Address], str] | None:
    """What makes the hash of a recipient in return paths that have no room for him; None where nothing is signed."""
    from bounceproc.returnpath import digest

    secrets = _sound_secrets(config)
    return partial(digest, secrets=secrets) if secrets else None


def our_mail(config: Config) -> OurMail | None:
    """What is known of our own mail; None where that is nothing."""
    if config.identity.secret is None and not config.stream:
        return None
    from bounceproc.identity import OurMail
    from bounceproc.streams import Stream, Streams

    streams = [Stream(one.name, one.match.kind, one.match.value) for one in config.stream]
    return OurMail(_sound_secrets(config), Streams(streams, config.identity.extension_delimiter)) or None


def _sound_secrets(config: Config) -> tuple[str, ...]:
    """The token secrets; none where there is none, or one so short that anybody could have made the tokens."""
    if config.identity.secret is None:
        return ()
    from bounceproc.returnpath import TokenError, strong

    try:
        return tuple(strong(token_secrets(config)))
    except TokenError:
        return ()


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


def identifier_of(config: Config) -> Identifier | None:
    """What knows our own mail again; None where nothing is known of it."""
    ours = our_mail(config)
    return identifier_with(ours) if ours else None


def identifier_with(ours: OurMail) -> Identifier:
    """What knows this mail again."""
    from bounceproc.identity import Identifier

    return Identifier(ours, lambda: datetime.now(UTC))
