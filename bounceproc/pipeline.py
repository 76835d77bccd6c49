"""One batch of messages in, one outcome per message out."""
