"""Tokens for Google's mailboxes: of a service account that acts for a user, or by a refresh token. The room of google-auth."""
# ruff: noqa: PLC0415 - the library is heavy, and only installed with the extra

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bounceproc.errors import ConfigError
from bounceproc.sources.tokens.refusal import NO_ANSWER, missing_extra, refused, unreachable
from bounceproc.sources.tokens.tokens import AccessToken, texts

if TYPE_CHECKING:
    from bounceproc.config import Secret
    from bounceproc.errors import BounceprocError
    from bounceproc.sources.tokens.tokens import RefreshToken

SCOPE: Final = "https://mail.google.com/"
"""The one scope that Google's IMAP takes."""
TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no password
LIFE: Final = timedelta(hours=1)
"""How long a token lives where the answer does not say it."""

_ADVICE: Final = {
    "unauthorized_client": (
        "In admin.google.com, Security, API controls, Domain-wide delegation, allow this service account's client id "
        f"the scope {SCOPE}."
    ),
    "invalid_client": "Check oauth_client_id and oauth_client_secret.",
    "invalid_scope": f"The refresh token was given for another scope; ask for {SCOPE} and agree once more.",
}
_ADVICE_ELSE: Final = (
    "The grant is over or wrong: make a new key or refresh token, and check user. "
    "Refresh tokens of applications in testing end after 7 days."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    """What Google needs to know to give tokens for one mailbox."""

    name: ClassVar[str] = "Google"

    mailbox: str
    user: str
    service_account: Secret | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    refresh_token: RefreshToken | None = field(default=None, repr=False)
    token_uri: str = TOKEN_URI

    def obtain(self) -> AccessToken:
        """A new token; see `Provider`."""
        try:
            from google.auth import exceptions
            from google.auth.transport.requests import Request

            from bounceproc.sources.tokens.http import Session
        except ImportError:
            raise missing_extra(self.mailbox) from None
        credentials = self._credentials()
        failure: BounceprocError
        with Session() as session:
            try:
                credentials.refresh(Request(session=session))
            except exceptions.TransportError as error:
                failure = unreachable(self.mailbox, self.name, _cause(error))
            except exceptions.RefreshError as error:
                failure = self._refusal(error)
            except (exceptions.GoogleAuthError, *NO_ANSWER) as error:
                failure = unreachable(self.mailbox, self.name, f"its answer is none ({type(error).__name__})")
            else:
                # The library's times are UTC without saying so.
                expiry = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else datetime.now(UTC) + LIFE
                return AccessToken(credentials.token, expiry, session.skew)
        raise failure  # without its cause: that one may hold the provider's whole answer

    def _credentials(self) -> Any:
        if self.service_account is not None:
            from google.oauth2 import service_account

            try:
                key = json.loads(self.service_account.read())
                make: Any = service_account.Credentials.from_service_account_info  # has no types
                return make(key, scopes=[SCOPE], subject=self.user)
            except (ValueError, KeyError, TypeError, AttributeError):
                what = f"mailbox {self.mailbox!r}: {self.service_account.file} is no key of a service account"
            raise ConfigError(what, "Make a JSON key at console.cloud.google.com, IAM & Admin, Service Accounts.")
        from google.oauth2.credentials import Credentials

        assert self.refresh_token
        assert self.client_secret
        made: Any = Credentials  # has no types
        return made(
            token=None,
            refresh_token=self.refresh_token.read(),
            client_id=self.client_id,
            client_secret=self.client_secret.read(),
            token_uri=self.token_uri,
        )

    def _refusal(self, error: Any) -> BounceprocError:
        answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
        code = str(answer.get("error", ""))
        said = ": ".join(str(answer[key]) for key in ("error", "error_description") if answer.get(key))
        if error.retryable:
            return unreachable(
                self.mailbox,
                self.name,
                said or "it has trouble of its own",
                texts(self.refresh_token, self.client_secret),
            )
        if not answer:
            return unreachable(self.mailbox, self.name, "its answer is none")
        advice = _ADVICE.get(code, _ADVICE_ELSE)
        return refused(
            self.mailbox,
            self.name,
            said or "no token in its answer",
            advice,
            texts(self.refresh_token, self.client_secret),
        )


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.args[0] if error.args else error
    return type(cause).__name__ if isinstance(cause, BaseException) else "no connection"
