"""Put the house together from a configuration: the only room that knows every adapter.

Foreign libraries are heavy (SQLAlchemy 270 ms, IMAPClient 140 ms) and every command needs other ones, so adapters are imported
where they are built.
"""
