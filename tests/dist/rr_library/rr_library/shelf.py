from rr import Document, Query, Settings
from rr.data import Collection, read_columns


class Shelf:
    def __init__(self, settings):
        self._path = settings.path

    def files(self):
        return [self._path]

    def read(self):
        rows = read_columns(self._path, ("title", "question"), "\t")
        documents = {f"d{n}": Document(f"d{n}", row.text("title")) for n, row in enumerate(rows)}
        queries = {f"q{n}": Query(f"q{n}", row.text("question")) for n, row in enumerate(rows)}
        return Collection(documents, queries, {f"q{n}": {f"d{n}": 1} for n, _ in enumerate(rows)})


class Initial:
    learns = False

    class Settings(Settings):
        weight: float = 1.0

    def __init__(self, settings):
        self._weight = settings.weight

    def fit(self, corpus):
        self._documents = corpus.documents

    def scores(self, query):
        first = query.text[:1].lower()
        return {d.id: self._weight * (1.0 + (d.text[:1].lower() == first)) for d in self._documents}
