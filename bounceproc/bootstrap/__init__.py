"""Put the house together from a configuration: the only room that knows every adapter.

Foreign libraries are heavy (SQLAlchemy 270 ms, IMAPClient 140 ms) and every command needs other ones, so adapters are imported
where they are built.
"""

import logging

# It logs a traceback for each header that it trips over, and its exceptions are expected where it is asked.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
