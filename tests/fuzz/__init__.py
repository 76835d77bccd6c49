"""Messages nobody would write, made from those in the corpus: longer runs than the test suite has time for."""
