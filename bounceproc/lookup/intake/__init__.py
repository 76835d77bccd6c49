"""Lists that come in: files of other services and of people, a row at a time, of whatever make."""

from bounceproc.lookup.intake.reading import BadRow, Listing, open_listing

__all__ = ["BadRow", "Listing", "open_listing"]
