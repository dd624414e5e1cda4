"""What a corpus of any size costs: time and peak memory of preparing, reopening and reranking it.

    OMP_NUM_THREADS=1 python benchmarks/corpus.py [--millions 0.1 1 5] [--retriever bm25] [--pairs N] [--json FILE]

Passages of some 55 words (Zipf's law, 200,000 words) in BEIR's form; 300 queries, of which 150 are test; candidates to
a depth of 100 by the retriever: `bm25`, or `scan`, which weighs the words that a query shares with each passage in one
pass and holds nothing, so that what is left is the evaluator's. Preparing includes reading; reopening is a second
`load_dataset` in a new process, and reranking asks `bm25` for the test split. `--pairs`: the bi-encoder reranks a run
of so many pairs over half as many short passages, as `rr rerank --run` does it. Each figure is that of a process of its
own, memory the peak of its resident set; seconds are of the CPU, since machines are shared. Exits 0 only where all
goals hold.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from figures import Line, report

MILLIONS = [0.1, 1.0, 5.0]
PREPARED_GB, REOPENED_S, RATIO, PAIRS_GB = 1.5, 2.0, 1.5, 1.2
"""Goals: memory of the three steps, seconds of the second, seconds a passage at the largest size against the smallest,
memory of reranking a run."""
WORDS, LENGTH, QUERIES, DEPTH, LIST = 200_000, 55, 300, 100, 100
BLOCK = 10_000


class Scan:
    """A retriever that goes once through the corpus, whatever its size."""

    learns = False

    def __init__(self, settings: object) -> None: ...

    def fit(self, corpus: Any) -> None:
        self._documents = corpus.documents

    def scores(self, query: Any) -> Mapping[str, float]:
        return next(iter(self.search([query], len(self._documents))))

    def search(self, queries: Sequence[Any], depth: int) -> Iterable[Mapping[str, float]]:
        asking: dict[str, list[int]] = {}
        for number, query in enumerate(queries):
            for word in set(query.text.split()):
                asking.setdefault(word, []).append(number)
        weights = {word: 1 + zlib.crc32(word.encode()) % 10_000 / 10_000 for word in asking}
        found: list[dict[str, float]] = [{} for _ in queries]
        floors, most = [0.0] * len(queries), [10 * depth] * len(queries)
        for document in self._documents:
            shared: dict[int, float] = {}
            for word in asking.keys() & document.text.split():
                for number in asking[word]:
                    shared[number] = shared.get(number, 0.0) + weights[word]
            for number, score in shared.items():
                if score >= floors[number]:
                    found[number][document.id] = score
                    if len(found[number]) > most[number]:  # only its best, and all that ties with the last of them
                        floors[number] = heapq.nlargest(depth, found[number].values())[-1]
                        found[number] = {i: s for i, s in found[number].items() if s >= floors[number]}
                        most[number] = 2 * max(len(found[number]), 5 * depth)
        return found


def words() -> np.ndarray[Any, Any]:
    syllables = [first + second for first in "bcdfghklmnprstvz" for second in "aeiou"]
    return np.array([syllables[n % 80] + syllables[n // 80 % 80] + syllables[n // 6400] for n in range(WORDS)])


def texts(count: int, length: int, seed: int = 1) -> Iterator[list[str]]:
    """Blocks of texts; a word's rank is drawn such that its frequency is one over its rank."""
    generator, vocabulary = np.random.default_rng(seed), words()
    for start in range(0, count, BLOCK):
        shape = (min(BLOCK, count - start), length)
        yield [" ".join(row) for row in vocabulary[(WORDS ** generator.random(shape)).astype(int) - 1].tolist()]


def generate(folder: Path, documents: int, length: int = LENGTH) -> None:
    """Each query has six words of one passage, none of them among the thousand most frequent."""
    every, queries, number = documents // QUERIES, list[tuple[str, str, int]](), 0
    (folder / "qrels").mkdir(parents=True)
    rare = set(words()[1000:].tolist())
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for block in texts(documents, length):
            for text in block:
                if number % every == 0 and len(queries) < QUERIES:
                    queries.append(
                        (f"q{len(queries)}", " ".join([w for w in text.split() if w in rare][:6]) or text, number)
                    )
                file.write(f'{{"_id": "p{number}", "title": "", "text": "{text}"}}\n')
                number += 1
    lines = [json.dumps({"_id": id_, "text": text}) for id_, text, _ in queries]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split, part in (("train", queries[:100]), ("dev", queries[100:150]), ("test", queries[150:])):
        rows = [f"{id_}\tp{place}\t1" for id_, _, place in part]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows, ""]))


def opened(folder: Path, retriever: str) -> Any:
    from rr.registry.plugins import OURS, Plugins, Registered, installed_plugins
    from rr.spec import Component
    from rr_bench.data.load import load_dataset
    from rr_bench.registry import DatasetEntry

    scan = Registered(Component("scan", "corpus:Scan", ""), "retriever", "corpus", OURS, "0")
    plugins = Plugins([*installed_plugins().components, scan])
    plan = {"retriever": retriever, "depth": DEPTH}
    entry = DatasetEntry.model_validate({"reader": "beir", "options": {"folder": str(folder)}, "candidates": plan})
    return load_dataset("corpus", entry, plugins=plugins)


def reranked(folder: Path, retriever: str) -> None:
    import rr

    requests = opened(folder, retriever).requests("test")
    text = "version: 1\ndefault_profile: one\nprofiles: {one: {suite: one}}\nrerankers: {bm25: {scorer: bm25}}\n"
    path = folder / "one.yaml"
    path.write_text(text + "suites: {one: {datasets: {none: {reader: helpdesk}}}}\n")
    rr.load("bm25", registry=path).rerank_all(requests)


def rerank_pairs(folder: Path) -> None:
    from rr_bench.cli import main

    sys.argv = ["rr", "rerank", "bi-encoder", "--run", str(folder / "run.trec"), "--data", str(folder)]
    sys.argv += ["--out", str(folder / "out.trec")]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise


STEPS = {"prepare": opened, "reopen": opened, "rerank": reranked}


def alone(step: str, folder: Path, retriever: str) -> None:
    """In a process of its own: prints seconds, and gigabytes at the peak."""
    import rr_bench.data.load  # noqa: F401 - now, for it is not timed

    started = time.process_time()
    if step == "pairs":
        rerank_pairs(folder)
    else:
        STEPS[step](folder, retriever)
    seconds = time.process_time() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps([seconds, peak * 1024 / 1e9]), file=sys.__stdout__)


def measured(step: str, folder: Path, retriever: str) -> tuple[float, float]:
    command = [sys.executable, __file__, "--alone", step, "--folder", str(folder), "--retriever", retriever]
    environment = {**os.environ, "RR_HOME": str(folder / "home"), "SQLITE_TMPDIR": str(folder)}
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8", env=environment)
    seconds, gigabytes = json.loads(ended.stdout.splitlines()[-1])
    return seconds, gigabytes


def of_corpora(folder: Path, millions: Sequence[float], retriever: str) -> list[Line]:
    lines, a_passage = [], {}
    for size in sorted(millions):
        place = folder / f"{size:g}"
        generate(place, int(size * 1e6))
        for step in STEPS:
            seconds, gigabytes = measured(step, place, retriever)
            if step == "prepare":
                a_passage[size] = seconds / size
            most = REOPENED_S if step == "reopen" else None
            lines += [
                Line(f"{size:g} million passages: {step}, seconds", seconds, most, at_least=False),
                Line("  peak memory, GB", gigabytes, PREPARED_GB, at_least=False),
            ]
            print(*lines[-2:], sep="\n", flush=True)
        shutil.rmtree(place)
    sizes = sorted(a_passage)
    ratio = a_passage[sizes[-1]] / a_passage[sizes[0]]
    name = f"seconds a passage of {sizes[-1]:g} million against {sizes[0]:g} million"
    return [*lines, Line(name, ratio, RATIO, at_least=False)]


def of_pairs(folder: Path, pairs: int) -> list[Line]:
    place, generator = folder / "pairs", np.random.default_rng(2)
    generate(place, max(pairs // 2, QUERIES), 12)
    asked = pairs // LIST
    with (place / "queries.jsonl").open("w") as queries, (place / "run.trec").open("w") as run:
        for number, text in zip(range(asked), (text for block in texts(asked, 6, 3) for text in block), strict=True):
            queries.write(json.dumps({"_id": f"q{number}", "text": text}) + "\n")
            drawn = generator.choice(pairs // 2, LIST, replace=False).tolist()
            run.writelines(f"q{number} Q0 p{p} {rank} {LIST - rank} x\n" for rank, p in enumerate(drawn))
    seconds, gigabytes = measured("pairs", place, "bm25")
    shutil.rmtree(place)
    return [
        Line(f"bi-encoder, a run of {pairs:,} pairs: seconds", seconds),
        Line("  peak memory, GB", gigabytes, PAIRS_GB, at_least=False),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="*", default=MILLIONS)
    parser.add_argument("--retriever", choices=["bm25", "scan"], default="bm25")
    parser.add_argument("--pairs", type=int, default=0, help="rerank a run of so many, too")
    parser.add_argument("--folder", type=Path, help="where to write, and clean up after")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--alone", choices=[*STEPS, "pairs"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        alone(given.alone, given.folder, given.retriever)
        return 0
    lines = []
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.millions:
            lines += of_corpora(Path(folder), given.millions, given.retriever)
        if given.pairs:
            lines += of_pairs(Path(folder), given.pairs)
    return report(lines, given.json)


if __name__ == "__main__":
    sys.exit(main())
