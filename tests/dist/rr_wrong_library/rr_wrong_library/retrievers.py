# ruff: noqa: N801 - each is called by what is wrong with it
import sys


class Right:
    learns = False

    def __init__(self, settings):
        pass

    def fit(self, corpus):
        self.documents = corpus.documents

    def scores(self, query):
        return {document.id: float(query.text in document.text) for document in self.documents}


class fits_nothing(Right):
    fit = None


class finds_nothing_known(Right):
    def scores(self, query):
        return {"nothing": 1.0}


class gives_nan(Right):
    def scores(self, query):
        return {**super().scores(query), "d1": float("nan")}


class gives_text(Right):
    def scores(self, query):
        return {**super().scores(query), "d1": "1.0"}


class gives_true(Right):
    def scores(self, query):
        return {document.id: query.text in document.text for document in self.documents}


class gives_a_list(Right):
    def scores(self, query):
        return list(super().scores(query).values())


class gives_a_score_for_none(Right):
    def scores(self, query):
        return {None: 1.0}


class exits_in_fit(Right):
    def fit(self, corpus):
        sys.exit(0)


class exits_in_scores(Right):
    def scores(self, query):
        sys.exit(0)


class edits_documents(Right):
    def fit(self, corpus):
        super().fit(corpus)
        object.__setattr__(next(iter(corpus.documents)), "text", "word1 word2 word3")


class edits_the_query(Right):
    def scores(self, query):
        found = super().scores(query)
        object.__setattr__(query, "text", "another")
        return found


class learns_is_missing(Right):
    learns = None
