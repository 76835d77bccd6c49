"""The suppression list as a file for those who cannot ask: all of it, or what changed, in the form that each of them reads."""

from bounceproc.lookup.export.exporting import ExportSummary, export
from bounceproc.lookup.export.formats import Format

__all__ = ["ExportSummary", "Format", "export"]
