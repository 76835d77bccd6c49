"""Small messages for tests that are about something else."""

from __future__ import annotations


def dsn(
    recipient: str = "user@example.com",
    *,
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 User unknown",
    action: str = "failed",
    date: str = "Mon, 23 Nov 2026 08:00:00 +0000",
    original: str = "<original.1@sender.example>",
) -> bytes:
    """An RFC 3464 report about one recipient."""
    return f"""From: MAILER-DAEMON@mx.example.org
To: bounces@sender.example
Subject: Undelivered Mail Returned to Sender
Date: {date}
Message-ID: <{original.strip("<>")}.report@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

Your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b1
Content-Type: text/rfc822-headers

From: news@sender.example
To: {recipient}
Subject: Hello
Message-ID: {original}

--b1--
""".encode()


def complaint(recipient: str = "user@example.com") -> bytes:
    """An RFC 5965 report of abuse."""
    return f"""From: fbl@provider.example
To: fbl@sender.example
Subject: Abuse report
Date: Mon, 23 Nov 2026 09:00:00 +0000
Message-ID: <complaint.{recipient}.fbl@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: FBL/1.0
Version: 1
Original-Rcpt-To: <{recipient}>

--b2
Content-Type: message/rfc822

From: news@sender.example
To: {recipient}
Subject: Hello
Message-ID: <original.2@sender.example>

Hello.

--b2--
""".encode()


ORDINARY = b"""From: Jana Berg <jana@example.net>
To: news@sender.example
Subject: A question
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <question@example.net>

When do I cut back the roses?
"""

NO_RECIPIENT = b"""From: MAILER-DAEMON@mx.example.org
To: bounces@sender.example
Subject: Returned mail
Date: Mon, 23 Nov 2026 11:00:00 +0000
Message-ID: <broken@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b3"

--b3
Content-Type: text/plain

There were delivery errors.

--b3
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

--b3--
"""
