"""What goes wrong between us and a mail server, one kind after the other."""
