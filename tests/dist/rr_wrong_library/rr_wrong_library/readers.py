# ruff: noqa: N801 - each is called by what is wrong with it
import sys

from rr import Document, HardNegative, Query
from rr.data import Collection


class right:
    def __init__(self, settings):
        self.documents = {f"d{n}": Document(f"d{n}", f"word{n} and more") for n in range(8)}
        self.queries = {f"q{n}": Query(f"q{n}", f"word{n}") for n in range(8)}
        self.rest = {"qrels": {f"q{n}": {f"d{n}": 1} for n in range(8)}}

    def files(self):
        return []

    def read(self):
        self.spoil()
        return Collection(self.documents, self.queries, **self.rest)

    def spoil(self):
        pass


class gives_none(right):
    def read(self):
        return None


class raises(right):
    def read(self):
        raise RuntimeError("raised in read")


class exits(right):
    def read(self):
        sys.exit(0)


class files_are_none(right):
    def files(self):
        return None


class files_are_one_text(right):
    def files(self):
        return "data.jsonl"


class files_are_numbers(right):
    def files(self):
        return [1, 2]


class document_under_another_id(right):
    def spoil(self):
        self.documents["d1"] = Document("one", "word1")


class query_under_another_id(right):
    def spoil(self):
        self.queries["q1"] = Query("one", "word1")


class document_is_text(right):
    def spoil(self):
        self.documents["d1"] = "word1"


class blank_id(right):
    def spoil(self):
        self.documents[" "] = Document(" ", "word")


class number_as_id(right):
    def spoil(self):
        self.documents[7] = Document(7, "word")


class grade_is_text(right):
    def spoil(self):
        self.rest["qrels"]["q1"] = {"d1": "1"}


class grade_is_a_share(right):
    def spoil(self):
        self.rest["qrels"]["q1"] = {"d1": 0.5}


class grade_is_true(right):
    def spoil(self):
        self.rest["qrels"]["q1"] = {"d1": True}


class history_of_ids(right):
    def read(self):
        collection = super().read()
        object.__setattr__(collection.queries["q1"], "history", ("d1",))
        return collection


class run_is_nan(right):
    def spoil(self):
        self.rest["run"] = {"q1": {"d1": float("nan")}}


class run_is_text(right):
    def spoil(self):
        self.rest["run"] = {"q1": {"d1": "1.0"}}


class weight_is_nan(right):
    def spoil(self):
        self.rest["hard_negatives"] = {"q1": [HardNegative("d2", (), float("nan"))]}


class negative_is_an_id(right):
    def read(self):
        collection = super().read()
        object.__setattr__(collection, "hard_negatives", {"q1": ["d2"]})
        return collection


class group_is_a_number(right):
    def spoil(self):
        self.rest["groups"] = {"q1": 1}


class notes_are_text(right):
    def read(self):
        collection = super().read()
        object.__setattr__(collection, "notes", "two lines were left out")
        return collection


class goes_around_the_checks(right):
    def read(self):
        class Unchecked(Collection):
            def __post_init__(self):
                pass

        return Unchecked(self.documents, self.queries, {"nobody": {"d1": 1}})


class qrels_are_a_list(right):
    def read(self):
        collection = super().read()
        object.__setattr__(collection, "qrels", [("q1", "d1", 1)])
        return collection
