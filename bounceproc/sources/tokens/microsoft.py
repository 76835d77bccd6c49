"""Tokens for Microsoft 365 mailboxes: of an application by itself, or by a refresh token. The room of msal."""
# ruff: noqa: PLC0415 - the library is heavy, and only installed with the extra

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from bounceproc.sources.tokens.refusal import NO_ANSWER, missing_extra, refused, unreachable
from bounceproc.sources.tokens.tokens import AccessToken, texts

if TYPE_CHECKING:
    from bounceproc.config import Secret
    from bounceproc.sources.tokens.http import Session
    from bounceproc.sources.tokens.tokens import RefreshToken

AUTHORITY: Final = "https://login.microsoftonline.com"
APPLICATION_SCOPE: Final = "https://outlook.office365.com/.default"
"""Whatever an administrator allowed this application."""
USER_SCOPE: Final = "https://outlook.office.com/IMAP.AccessAsUser.All"
LIFE: Final = 3600
"""Seconds that a token lives where the answer does not say it."""

_TEMPORARY: Final = frozenset({"temporarily_unavailable", "server_error", "request_timeout", "slow_down"})

_ADVICE: Final = {
    "invalid_client": "Check oauth_client_id, and make a new client secret where the old one ended.",
    "unauthorized_client": "Check oauth_client_id and oauth_tenant; the application must stand in that directory.",
    "invalid_grant": "The refresh token is over or was taken back: let the person agree once more.",
}
_ADVICE_ELSE: Final = (
    "The application needs the permission IMAP.AccessAsApp (or IMAP.AccessAsUser.All with a refresh token), "
    "an administrator's consent, and in Exchange a service principal with rights on this mailbox."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Microsoft:
    """What Microsoft needs to know to give tokens for one mailbox."""

    name: ClassVar[str] = "Microsoft"

    mailbox: str
    client_id: str
    client_secret: Secret | None = None
    refresh_token: RefreshToken | None = field(default=None, repr=False)
    tenant: str | None = None
    authority: str = AUTHORITY

    def obtain(self) -> AccessToken:
        """A new token; see `Provider`. A refresh token that comes with it replaces ours."""
        try:
            from msal.exceptions import MsalError

            from bounceproc.sources.tokens.http import NetworkError, Session
        except ImportError:
            raise missing_extra(self.mailbox) from None
        with Session() as session:
            try:
                return self._token(self._asked(session), session.skew)
            except NetworkError as error:
                failure = unreachable(self.mailbox, self.name, type(error).__name__)
            except MsalError as error:
                failure = unreachable(self.mailbox, self.name, str(error))  # `HTTP Error: 503`
            except NO_ANSWER:
                # msal makes a ValueError of a directory that is not there, and of an answer that is no JSON.
                failure = unreachable(self.mailbox, self.name, f"no answer for {self._directory}; check oauth_tenant")
        raise failure  # without its cause: that one may hold the provider's whole answer

    @property
    def _directory(self) -> str:
        return f"{self.authority}/{self.tenant or 'common'}"

    def _asked(self, session: Session) -> dict[str, Any]:
        from msal import ConfidentialClientApplication, PublicClientApplication

        # Made anew each time: it would keep tokens, and refusals, of its own.
        settings = {"authority": self._directory, "http_client": session, "instance_discovery": False}
        if self.client_secret is not None:
            secret = self.client_secret.read()
            app = ConfidentialClientApplication(self.client_id, client_credential=secret, **settings)
        else:
            app = PublicClientApplication(self.client_id, **settings)
        answer: dict[str, Any]
        if self.refresh_token is not None:
            answer = app.acquire_token_by_refresh_token(self.refresh_token.read(), scopes=[USER_SCOPE])
        else:
            answer = app.acquire_token_for_client(scopes=[APPLICATION_SCOPE])
        return answer

    def _token(self, answer: dict[str, Any], skew: timedelta | None) -> AccessToken:
        text, code = answer.get("access_token"), str(answer.get("error", ""))
        if isinstance(text, str) and text:
            renewed = answer.get("refresh_token")
            if self.refresh_token is not None and isinstance(renewed, str) and renewed:
                self.refresh_token.replace(renewed)
            return AccessToken(text, datetime.now(UTC) + timedelta(seconds=int(answer.get("expires_in") or LIFE)), skew)
        said = ": ".join(str(answer[key]) for key in ("error", "error_description") if answer.get(key))
        if code in _TEMPORARY:
            raise unreachable(self.mailbox, self.name, said, texts(self.refresh_token, self.client_secret))
        advice = _ADVICE.get(code, _ADVICE_ELSE)
        raise refused(
            self.mailbox,
            self.name,
            said or "no token in its answer",
            advice,
            texts(self.refresh_token, self.client_secret),
        )
