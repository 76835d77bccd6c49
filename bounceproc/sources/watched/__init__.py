"""Files that mail keeps coming into: a Maildir, a folder of messages, an mbox that grows.

watchfiles lives in `changes` alone.
"""
