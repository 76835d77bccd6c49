"""Mail that an MTA hands over by LMTP (RFC 2033): the answer is 250 once the message is committed, and not before.

aiosmtpd lives here alone, and is imported when a server starts.
"""
