"""Whether a notice only warns that delivery takes longer: no failure, whatever its fields say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bounceproc.rare import Rare
from bounceproc.reports.mail import Phrases

if TYPE_CHECKING:
    from bounceproc.reports.mail import Mail

READ: Final = 4096
"""Characters of a notice in which the sentence is looked for: it stands at the top."""

_SUBJECT: Final = Rare(
    r"\W{0,4}(?:\[[^\]\n]{1,60}\][ \t]*)?(?:warning\b[^a-z]{0,4}(?:could not send|message)|(?:mail |message )?(?:delivery )?(?:status )?(?:notification )?"
    r"(?:delayed|delay|warning)\b|delayed:|delivery (?:has been |is )?delayed|(?:mail )?delivery status notification[: -]*\(?(?:delay|warning)|"
    r"(?:zustellung )?verzögert|zustellungsverzögerung|remise (?:retardée|différée)|entrega (?:retrasada|demorada|atrasada)|"
    r"übermittlung verzögert|verzögerte (?:e-?mail|zustellung|nachricht)|(?:remise|livraison|distribution) (?:est |a été )?(?:retardée|différée)|"
    r"avertissement ?: (?:distribution|remise|livraison) retardée|retraso en la entrega|correo retrasado|atraso na entrega|"
    r"(?:recapito|consegna) ritardat[ao]|(?:bezorging|aflevering) vertraagd|vertraagde (?:bezorging|e-?mail)|opóźnione (?:dostarczenie|dostarczanie)|"
    r"(?:dostarczenie|dostarczanie) opóźnione|доставка (?:отложена|задерживается)|задержка доставки|配信(?:の)?遅延|配送の遅延|传递(?:被)?延迟|"
    r"投递延迟|傳遞延遲)",
    re.IGNORECASE,
)
"""Subjects of warnings, from their beginning: further on the subject of our own mail may be quoted."""

_SUBJECT_WORDS: Final = ("warning", "delay", "retras", "demorad", "atras", "ritardat", "vertraagd")
"""Of which one stands in every subject above that is ASCII: a cheap test before the pattern."""

_WARNS: Final = (
    *(
        "warning message only",
        "this is just a warning",
        "this is only a warning",
        "this is a warning",
        "delivery incomplete **",
    ),
    *(
        "will be retried",
        " will retry",
        "will keep trying",
        "will continue to try",
        "continue to attempt",
        "will try again",
    ),
    *(
        "delivery attempts will continue",
        "attempts to deliver will continue",
        "temporary failure report",
        "still being retried",
    ),
    *(
        "not yet been delivered",
        "not need to resend",
        "not have to resend",
        "has been delayed",
        "have been delayed",
        " is delayed",
    ),
    *(
        " was delayed",
        " being delayed",
        "advisory-only",
        " been postponed",
        "not been delivered yet",
        "will continue to be attempted",
    ),
    *(
        "wird weiterhin versucht",
        "noch nicht zugestellt",
        "n'a pas encore été",
        "todavía no se ha",
        "ещё не доставлено",
        "еще не доставлено",
    ),
    *("まだ配信されて", "再送を試み", "尚未送达"),
    *(
        "es wird weiterhin versucht",
        "wird weiter versucht, die",
        "dies ist nur eine warnung",
        "oder gruppen verzögert sich",
        "gmail versucht noch",
        "ceci n'est qu'un avertissement",
        "tentatives de remise se poursuivront",
        "va effectuer de nouvelles tentatives",
        "continuera à essayer",
    ),
    *(
        "esto es sólo un aviso",
        "esto es solo un aviso",
        "se seguirá intentando",
        "todavía no ha podido",
        "aún no se ha entregado",
        "lo intentará durante",
        "isto é apenas um aviso",
        "ainda não foi entregue",
        "tentativas de entrega continuarão",
        "a tentativa de entrega continuará",
        "continuará tentando",
        "o gmail tentará",
    ),
    *(
        "questo è solo un avviso",
        "non è ancora stato recapitato",
        "non è stato ancora recapitato",
        "tentativi di recapito continueranno",
        "il tentativo di recapito continuerà",
        "continuerà a provare",
        "gmail riproverà",
        "dit is slechts een waarschuwing",
        "is nog niet bezorgd",
        "wordt nog steeds geprobeerd",
        "bezorgingspogingen worden voortgezet",
        " gmail blijft",
    ),
    *(
        "nie została jeszcze dostarczona",
        "próby dostarczenia będą kontynuowane",
        "to jest tylko ostrzeżenie",
        "będzie ponawiać próby",
        "пока не доставлено",
        "попытки доставки будут продолжены",
        "это только предупреждение",
        "это лишь предупреждение",
        "будет повторять попытки",
    ),
    *("** zustellung unvollständig", "** distribution incomplète", "** remise incomplète", "** entrega incompleta"),
    *("** consegna incompleta", "** recapito incompleto", "** bezorging niet voltooid", "** bezorging onvolledig"),
    *("** dostarczanie nieukończone", "** доставка не завершена", "** 配信未完了", "** 未完成递送"),
    *("再試行を続け", "继续重试", "引き続き配送", "这只是一个警告", "gmail probeert het nog"),
    *(
        "引き続き配信",
        "配信は引き続き",
        "への配信が遅延",
        "再試行されます",
        "将继续尝试",
        "將繼續嘗試",
        "此邮件尚未传递",
        "的传递被延迟",
        "继续尝试投递",
    ),
)
"""Of which one stands in the notice of a warning."""

_WARNING: Final = Phrases(_WARNS)

_GIVES_UP: Final = (
    *(
        "giving up",
        "given up",
        "gave up",
        "permanent error",
        "permanent failure",
        "permanent fatal",
        "failed permanently",
    ),
    *("removed from the queue", "no further", "not going to try again", "in the queue too long", "delivery has failed"),
    *("could not be delivered for", "has expired", "message expired", "retry timeout exceeded", "not be retried"),
)
"""Of which one stands in the notice of a failure."""


def is_warning(mail: Mail) -> bool:
    """Whether the subject says that the queue still tries, or the text, before it says that anything was given up.

    Exim and Gmail warn that they will give up some day: what is said first is meant.
    """
    if says_so_in_subject(mail):
        return True
    text = mail.squeezed
    warned = min((text.find(_WARNS[place]) for place in _WARNING.within(mail)), default=READ)
    if warned >= READ:
        return False
    return all(text.find(phrase, 0, warned) < 0 for phrase in _GIVES_UP)


def says_so_in_subject(mail: Mail) -> bool:
    """Whether the subject says that the queue still tries."""
    line = mail.subject_line
    if line is not None:
        for word in _SUBJECT_WORDS:
            if word in line:
                break
        else:
            return False
    return _SUBJECT.match(mail.subject[:300]) is not None
