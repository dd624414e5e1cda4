import rr


@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("overlap", "rr_overlap:Overlap", "Share of the query's words that a document has")]


class Overlap:
    info = rr.ModelInfo(scale="probability")

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [[self.share(r.query.text, d.content) for d in r.candidates] for r in requests]

    def share(self, query, document):
        words = set(query.lower().split())
        return len(words & set(document.lower().split())) / max(len(words), 1)
