import rr
from rr.data import DataPath


class ShelfSettings(rr.Settings):
    path: DataPath
    """A file of lines: title, tab, question."""
