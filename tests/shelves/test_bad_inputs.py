"""The shelf of bad inputs: each is answered by one line that names the culprit, exit code 1 or 2, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shelves.in_process import Run, runner

pytestmark = pytest.mark.attack("bad input")

REQUEST = '{"query": "phòng", "documents": ["phòng rẻ", "phòng rộng"]}\n'


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path) -> Run:
    monkeypatch.chdir(place)
    return runner(monkeypatch, capsys)


@pytest.fixture
def place(small_registry: Path, tmp_path: Path) -> Path:
    """The current folder: registry.yaml with a data set in small/, requests, a run with its texts in beir/, listings
    with weights; all of them good."""
    small_registry.rename(tmp_path / "registry.yaml")
    (tmp_path / "requests.jsonl").write_text(REQUEST, encoding="utf-8")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "beir").mkdir()
    (tmp_path / "beir" / "corpus.jsonl").write_text('{"_id": "d", "text": "phòng"}\n', encoding="utf-8")
    (tmp_path / "beir" / "queries.jsonl").write_text('{"_id": "q", "text": "phòng"}\n', encoding="utf-8")
    (tmp_path / "first.trec").write_text("q Q0 d 1 0.5 first\n", encoding="utf-8")
    listing = {"query": "q", "pos": ["p"], "hard_neg": [{"text": "n", "type": "price", "weight": 2}]}
    (tmp_path / "listings.json").write_text(json.dumps([listing]), encoding="utf-8")
    (tmp_path / "weights.json").write_text('{"price": 2, "other": 1}', encoding="utf-8")
    return tmp_path


def refused(run: Run, arguments: list[str | Path], words: list[str], stdin: bytes = b"") -> None:
    ended = run(*arguments, stdin=stdin)
    assert ended.code in (1, 2), ended
    assert ended.out == "", ended
    assert len(ended.said) == 1, ended
    assert ended.said[0].startswith("error: "), ended
    assert len(ended.said[0]) < 1000, ended
    assert "is a fault of rr" not in ended.said[0], ended
    for word in words:
        assert word in ended.said[0], ended


BM25 = ["rerank", "bm25"]
RUN = [*BM25, "--run", "first.trec", "--data", "beir", "--out", "out.trec"]

# every command with every file that is none


def linked_to_itself(path: Path) -> None:
    path.symlink_to(path)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def content(what: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(what)

    return write


TROUBLES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a folder": Path.mkdir,
    "a named pipe": os.mkfifo,
    "a device": device,
    "a link to itself": linked_to_itself,
    "a dangling link": dangling,
    "empty": content(b""),
    "blank": content(b" \n\n\t\n"),
    "a byte-order mark": content(b"\xef\xbb\xbf"),
    "binary": content(bytes(range(256))),
    "UTF-16": content(REQUEST.encode("utf-16")),
    "UTF-16 without a mark": content(REQUEST.encode("utf-16-le")),
    "latin-1": content('{"query": "r\xe9sum\xe9"}'.encode("latin-1")),
    "a NUL byte": content(b'{"id": "a\0b"}\n'),
    "cut off": content(b'{"id": "a", "te'),
    "a number": content(b"17\n"),
    "nested 100,000 deep": content(b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
}

READERS: dict[str, list[str]] = {
    "requests.jsonl": [*BM25, "--input", "requests.jsonl"],
    "first.trec": RUN,
    "beir/corpus.jsonl": RUN,
    "beir/queries.jsonl": RUN,
    "registry.yaml": ["list", "--registry", "registry.yaml"],
    "small/documents.jsonl": ["data", "show", "rooms"],
    "small/queries.jsonl": ["data", "show", "rooms"],
    "small/qrels.jsonl": ["data", "show", "rooms"],
    "listings.json": ["data", "weights", "listings.json"],
    "weights.json": ["data", "weights", "listings.json", "-w", "weights.json"],
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("file", READERS)
def test_a_file_that_is_none(run: Run, place: Path, file: str, trouble: str) -> None:
    (place / file).unlink()
    TROUBLES[trouble](place / file)
    # of a folder's files only one is looked for, by several names: the folder is named then
    absent = file.startswith("beir/") and trouble in ("missing", "a link to itself", "a dangling link")
    refused(run, list(READERS[file]), ["beir" if absent else file])
    assert not (place / "out.trec").exists()


# requests

DOCUMENTS = '"documents": ["a"]'

REQUESTS: dict[str, tuple[str, list[str]]] = {
    "not JSON": ("{query: a}", ["line 2", "not JSON"]),
    "two objects on a line": (REQUEST.strip() * 2, ["line 2", "not JSON"]),
    "a list": ('["phòng", "a"]', ["line 2", "JSON object", "list"]),
    "null": ("null", ["line 2", "NoneType"]),
    "no query": (f"{{{DOCUMENTS}}}", ["line 2", "'query' is missing"]),
    "no documents": ('{"query": "a"}', ["line 2", "'documents' is missing"]),
    "a mistyped key": ('{"query": "a", "document": ["a"]}', ["line 2", "did you mean 'documents'?"]),
    "a query that is a number": (f'{{"query": 7, {DOCUMENTS}}}', ["line 2", "query"]),
    "a query that is null": (f'{{"query": null, {DOCUMENTS}}}', ["line 2", "query"]),
    "documents that are one text": ('{"query": "a", "documents": "abc"}', ["line 2", "documents"]),
    "documents that are an object": ('{"query": "a", "documents": {"id": "a"}}', ["line 2", "documents"]),
    "a document that is null": ('{"query": "a", "documents": ["a", null]}', ["line 2", "documents.1"]),
    "a document without text": ('{"query": "a", "documents": [{"id": "a"}]}', ["line 2", "text"]),
    "an id that is a fraction": ('{"query": "a", "documents": [{"id": 1.5, "text": "a"}]}', ["line 2", "documents.0"]),
    "an id that is blank": ('{"query": "a", "documents": [{"id": " ", "text": "a"}]}', ["line 2", "documents.0.id"]),
    "two documents of one id": (
        '{"query": "a", "documents": [{"id": "1", "text": "a"}, {"id": "1", "text": "b"}]}',
        ["line 2: documents.1 is called '1' (its 'id'), as is documents.0"],
    ),
    "a text's place that is an id": (
        '{"query": "a", "documents": [{"id": "1", "text": "a"}, "b"]}',
        ["line 2: documents.1 is called '1' (its place, for it has no 'id'), as is documents.0"],
    ),
    "an id that came already": (
        f'{{"id": "1", "query": "a", {DOCUMENTS}}}',
        ["line 2: line 1 has no 'id', and its number is that of line 2"],
    ),
    "metadata that is a list": (
        '{"query": "a", "documents": [{"id": "1", "text": "a", "metadata": []}]}',
        ["line 2", "metadata"],
    ),
    "half a surrogate in the query": (f'{{"query": "a\\ud800", {DOCUMENTS}}}', ["line 2", "surrogate"]),
    "half a surrogate in a text": ('{"query": "a", "documents": ["\\udfff"]}', ["line 2", "surrogate"]),
    "half a surrogate in an id": (f'{{"id": "\\uD83D", "query": "a", {DOCUMENTS}}}', ["line 2", "surrogate"]),
    "half a surrogate in a title": (
        '{"query": "a", "documents": [{"id": "1", "text": "a", "title": "\\ud83d"}]}',
        ["line 2", "surrogate"],
    ),
    "half a surrogate in metadata": (
        '{"query": "a", "documents": [{"id": "1", "text": "a", "metadata": {"k": [{"\\udc00": 1}]}}]}',
        ["line 2", "surrogate"],
    ),
    "a number of 5,000 digits": (
        '{"query": "a", "documents": [{"id": "1", "text": "a", "metadata": {"n": ' + "7" * 5000 + "}}]}",
        ["line 2", "digits"],
    ),
    "metadata 500 deep": (
        '{"query": "a", "documents": [{"id": "1", "text": "a", "metadata": {"n": ' + "[" * 500 + "]" * 500 + "}}]}",
        ["line 2", "nested"],
    ),
    "a history that is a text": (f'{{"query": "a", "history": "b", {DOCUMENTS}}}', ["line 2", "history"]),
}


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_bad_request(run: Run, place: Path, case: str, way: str) -> None:
    line, words = REQUESTS[case]
    whole = REQUEST + line + "\n"
    (place / "requests.jsonl").write_text(whole, encoding="utf-8")
    where, stdin = ("requests.jsonl", b"") if way == "file" else ("-", whole.encode())
    refused(run, [*BM25, "--input", where], ["requests.jsonl" if way == "file" else "standard input", *words], stdin)


@pytest.mark.parametrize("stdin", [b"", b"\n", b"\xff\xfe", REQUEST.encode("utf-16"), b'{"query": "\xe9"}'])
def test_a_bad_standard_input(run: Run, stdin: bytes) -> None:
    refused(run, [*BM25, "--input", "-"], ["standard input"], stdin)


# runs and their texts

ROWS: dict[str, tuple[str, str, list[str]]] = {
    "five columns": ("first.trec", "q Q0 d 1 0.5\n", ["line 1", "5 columns"]),
    "seven columns": ("first.trec", "q Q0 d 1 0.5 my tag\n", ["line 1", "7 columns"]),
    "a score that is a word": ("first.trec", "q Q0 d 1 high t\n", ["line 1", "'high'"]),
    "a score that is NaN": ("first.trec", "q Q0 d 1 nan t\n", ["line 1", "finite"]),
    "a score beyond all numbers": ("first.trec", "q Q0 d 1 1e400 t\n", ["line 1", "finite"]),
    "an unknown query": ("first.trec", "p Q0 d 1 1 t\n", ["line 1", "'p' does not exist"]),
    "an unknown document": ("first.trec", "q Q0 e 1 1 t\n", ["line 1", "'e' does not exist"]),
    "a document twice": ("first.trec", "q Q0 d 1 1 t\nq Q0 d 2 0 t\n", ["line 2", "'d' came already in line 1"]),
    "a document's id twice": (
        "beir/corpus.jsonl",
        '{"_id": "d", "text": "a"}\n{"_id": "d", "text": "b"}\n',
        ["line 2", "'d' came already in line 1"],
    ),
    "a document without an id": ("beir/corpus.jsonl", '{"text": "a"}\n', ["line 1", "'_id'"]),
    "a document without text": ("beir/corpus.jsonl", '{"_id": "d"}\n', ["line 1", "'text'"]),
    "a text that is a list": ("beir/corpus.jsonl", '{"_id": "d", "text": ["a"]}\n', ["line 1", "must be text"]),
    "an id that is an object": ("beir/corpus.jsonl", '{"_id": {}, "text": "a"}\n', ["line 1", "'_id'"]),
    "half a surrogate in a text": ("beir/corpus.jsonl", '{"_id": "d", "text": "\\ud800"}\n', ["line 1", "surrogate"]),
    "half a surrogate in an id": ("beir/corpus.jsonl", '{"_id": "\\ud800", "text": "a"}\n', ["line 1", "surrogate"]),
    "a query that is blank": ("beir/queries.jsonl", '{"_id": "q", "text": " "}\n', ["line 1", "blank"]),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_run(run: Run, place: Path, case: str) -> None:
    file, text, words = ROWS[case]
    (place / file).write_text(text, encoding="utf-8")
    refused(run, list(RUN), [Path(file).name, *words])
    assert not (place / "out.trec").exists()
    assert not (place / ".out.trec.partial").exists()


# registry.yaml

HEAD = "version: 1\ndefault_profile: small\n"
PROFILES = "profiles: {small: {suite: s}}\n"
SUITES = "suites: {s: {datasets: {d: {generator: films}}}}\n"
RERANKERS = "rerankers: {r: {scorer: bm25}}\n"


def laughing(levels: int) -> str:
    lines = ["a0: &a0 ha"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


REGISTRIES: dict[str, tuple[str, list[str]]] = {
    "a list": ("- a\n", ["mapping"]),
    "a text": ("just words\n", ["mapping"]),
    "two documents": (HEAD + "---\n" + PROFILES, ["registry.yaml"]),
    "another version": (HEAD.replace("1", "2") + PROFILES + SUITES + RERANKERS, ["version"]),
    "an unknown key": (HEAD + PROFILES + SUITES + RERANKERS + "reranker: {}\n", ["did you mean 'rerankers'?"]),
    "infinity": (
        HEAD + PROFILES + "suites: {s: {datasets: {d: {generator: films, split: {dev: .inf}}}}}\n" + RERANKERS,
        ["split.dev", "finite"],
    ),
    "a missing key": (HEAD + PROFILES + RERANKERS, ["'suites' is missing"]),
    "a key twice": (HEAD + PROFILES + PROFILES + SUITES + RERANKERS, ["registry.yaml:4", "'profiles' stands here"]),
    "a key that is a list": (HEAD + "[a, b]: c\n", ["registry.yaml:3"]),
    "a tab": (HEAD + "\tprofiles: {}\n", ["registry.yaml:3"]),
    "a bracket left open": (HEAD + "profiles: {small: {suite: s}\n", ["registry.yaml"]),
    "an unknown alias": (HEAD + "profiles: *nothing\n", ["registry.yaml:3", "nothing"]),
    "an alias of itself": (HEAD + "profiles: &a [*a]\n", ["registry.yaml", "line 3"]),
    "a billion laughs": (laughing(11) + HEAD + PROFILES + SUITES + RERANKERS, ["aliases stand for more than"]),
    "lists 2,000 deep": (HEAD + "profiles: " + "[" * 2000 + "]" * 2000 + "\n", ["nested too deep"]),
    "a Python object": (HEAD + "profiles: !!python/object/apply:os.getcwd []\n", ["registry.yaml:3"]),
    "no date": (HEAD + "profiles: 2024-13-45\n", ["registry.yaml", "month"]),
    "a number of 5,000 digits": (HEAD + "profiles: " + "9" * 5000 + "\n", ["registry.yaml", "digits"]),
    "an unknown suite": (HEAD + PROFILES.replace("suite: s", "suite: t") + SUITES + RERANKERS, ["'t'"]),
    "an unknown default profile": (HEAD.replace("small", "smal") + PROFILES + SUITES + RERANKERS, ["'small'?"]),
    "an unknown metric": (
        HEAD + PROFILES + SUITES.replace("{datasets", "{metrics: [nDGC@10], datasets") + RERANKERS,
        [
            "nDGC@10",
        ],
    ),
    "no source": (HEAD + PROFILES + SUITES.replace("generator: films", "") + RERANKERS, ["suites.s.datasets.d"]),
    "two kinds of component": (HEAD + PROFILES + SUITES + RERANKERS.replace("}}", ", reranker: a}}"), ["rerankers.r"]),
    "a stride without a window": (HEAD + PROFILES + SUITES + RERANKERS.replace("}}", ", stride: 2}}"), ["stride"]),
    "a share that is NaN": (
        HEAD + PROFILES + SUITES.replace("films", "films, split: {dev: .nan}") + RERANKERS,
        ["dev"],
    ),
    "a depth below 1": (
        HEAD + PROFILES + SUITES.replace("films", "films, candidates: {depth: 0}") + RERANKERS,
        [
            "depth",
        ],
    ),
    **{
        f"a reranker called {name!r}": (
            HEAD + PROFILES + SUITES + RERANKERS.replace("{r:", f"{{{json.dumps(name)}:"),
            ["rerankers: ", *([repr(name)] if name and len(name) < 50 else [])],
        )
        for name in ("", ".", "..", "../../x", "/etc/x", "a/b", "a\\b", "-rf", ".hidden", "a\n", "a\x1b[2J", "x" * 101)
    },
    **{
        f"a data set called {name!r}": (
            HEAD + PROFILES + SUITES.replace("d:", f"{json.dumps(name)}:") + RERANKERS,
            ["suites.s.datasets: ", repr(name)[1:9]],
        )
        for name in ("../x", "~/x", "a:b", "a*", "a%2Fb", " a", "nhà/đất", "ế" * 50, "\u202etxt", "\u2028")
    },
    "a suite called ../x": (HEAD + PROFILES + SUITES.replace("{s:", '{"../x":') + RERANKERS, ["suites: ", "'../x'"]),
    "a profile called ../x": (HEAD + PROFILES.replace("small", '"../x"') + SUITES + RERANKERS, ["profiles: "]),
    "names that differ by case": (
        HEAD + PROFILES + SUITES + "rerankers: {head: {scorer: bm25}, Head: {scorer: bm25}}\n",
        ["'head' and 'Head'"],
    ),
    "data sets that differ by case": (
        HEAD + PROFILES + "suites: {s: {datasets: {nhà: {generator: films}, NHÀ: {generator: films}}}}\n" + RERANKERS,
        ["'nhà' and 'NHÀ'"],
    ),
}


@pytest.mark.parametrize("case", REGISTRIES)
def test_a_bad_registry(run: Run, place: Path, case: str) -> None:
    text, words = REGISTRIES[case]
    (place / "registry.yaml").write_text(text, encoding="utf-8")
    refused(run, ["data", "list"], ["registry.yaml", *words])


# words of the command line

OPTIONS: dict[str, tuple[list[str], list[str]]] = {
    "no such command": (["rernk"], ["rernk"]),
    "no such option": (["list", "--jsn"], ["--jsn"]),
    "an option without its value": (["list", "--profile"], ["--profile"]),
    "no name": (["rerank"], ["name"]),
    "an unknown name": ([*BM25[:1], "bm52", "-q", "a", "b"], ["did you mean 'bm25'?"]),
    "a name that is a path": (["rerank", "../bm25", "-q", "a", "b"], ["../bm25"]),
    "a name with a line break": (["info", "a\nb"], ["'a\\nb'"]),
    "a name that commands the terminal": (["info", "\x1b[2J"], ["\\x1b[2J"]),
    "a name that is no UTF-8": (["info", "bm\udce9"], ["bm\\udce9"]),
    "a name of 100,000 letters": (["info", "b" * 400], ["bbb"]),
    "a query and requests": ([*BM25, "-q", "a", "--input", "requests.jsonl"], ["--query", "--input"]),
    "neither": (BM25, ["--query", "--input"]),
    "requests without a name": ([*BM25, "--input", ""], ["--input", "empty"]),
    "results without a name": (["bench", "bm25", "--out", ""], ["--out", "empty"]),
    "a ranking without a name": ([*BM25, "--input", "requests.jsonl", "--out", ""], ["--out", "empty"]),
    "a registry without a name": (["list", "--registry", ""], ["--registry", "empty"]),
    "texts without a name": ([*RUN[:5], "", *RUN[6:]], ["--data", "empty"]),
    "a checkpoint without a name": (["export", "head", "", "out"], ["checkpoint", "empty"]),
    "listings without a name": (["data", "weights", ""], ["file", "empty"]),
    "documents without a query": (["rerank", "bm25", "a", "--input", "requests.jsonl"], ["--query"]),
    "a run without --out": (RUN[:-2], ["--out"]),
    "a run without --data": ([*RUN[:4], *RUN[6:]], ["--data"]),
    "--depth without a run": ([*BM25, "-q", "a", "--depth", "3", "b"], ["--depth"]),
    "a depth of 0": ([*RUN, "--depth", "0"], ["--depth"]),
    "a depth that is a word": ([*RUN, "--depth", "ten"], ["--depth"]),
    "a query that is no UTF-8": ([*BM25, "-q", "ph\udcf2ng", "a"], ["surrogate"]),
    "a document that is no UTF-8": ([*BM25, "-q", "a", "ph\udcf2ng"], ["surrogate"]),
    "an unknown profile": (["list", "--profile", "smal"], ["did you mean 'small'?"]),
    "an unknown data set": (["data", "show", "room"], ["did you mean 'rooms'?"]),
    "a data set that is a path": (["data", "show", "../../etc"], ["'../../etc'"]),
    "a data set to rerank with that is a path": ([*BM25, "-d", "../x", "-q", "a", "b"], ["'../x'"]),
    "a reranker without a trainer": (["train", "bm25", "-d", "rooms"], ["no trainer"]),
    "a setting before the name": (["train", "--lr", "1", "-d", "rooms"], ["--lr"]),
    "nothing to bench": (["bench"], ["--all"]),
    "names and --all": (["bench", "bm25", "--all"], ["--all"]),
    "an unknown baseline": (["bench", "bm25", "--baseline", "randm"], ["randm"]),
    "one fold": (["bench", "bm25", "--folds", "1"], ["--folds"]),
    "folds that are a word": (["bench", "bm25", "--folds", "many"], ["--folds"]),
    "one shuffle": (["bias", "bm25", "-d", "rooms", "--shuffles", "1"], ["--shuffles"]),
    "the bias of a reranker": (["bias", "random", "-d", "rooms"], ["'random'"]),
    "an export of what has none": (["export", "bm25", "small", "model"], ["'bm25'"]),
    "a checkpoint that is none": ([*BM25, "--checkpoint", "small", "-q", "a", "b"], ["small", "no checkpoint"]),
    "a checkpoint that is missing": ([*BM25, "--checkpoint", "gone", "-q", "a", "b"], ["gone", "no checkpoint"]),
    "a checkpoint that is a file": ([*BM25, "--checkpoint", "first.trec", "-q", "a", "b"], ["first.trec"]),
    "the best of no data set": ([*BM25, "--checkpoint", "best", "-q", "a", "b"], ["--dataset"]),
    "a checkpoint to look at without --verify": (["info", "bm25", "--checkpoint", "latest"], ["--verify"]),
    "weights without a weight file": (["data", "weights", "listings.json", "--out", "o.json"], ["--weight-file"]),
    "a registry that is gone": (["list", "--registry", "gone.yaml"], ["gone.yaml"]),
    "a registry that is a folder": (["list", "--registry", "small"], ["small"]),
    "a registry whose name is too long": (["list", "--registry", "r" * 300], ["too long"]),
    "requests whose name is too long": ([*BM25, "--input", "r" * 300], ["too long"]),
    "requests below a file": ([*BM25, "--input", "registry.yaml/requests.jsonl"], ["requests.jsonl"]),
    "a folder of texts that is a file": ([*RUN[:5], "first.trec", *RUN[6:]], ["first.trec"]),
    "a folder without texts": ([*RUN[:5], "nothing", *RUN[6:]], ["nothing"]),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_words(run: Run, case: str) -> None:
    arguments, words = OPTIONS[case]
    refused(run, list(arguments), words)


# where results go

INPUT = [*BM25, "--input", "requests.jsonl", "--out"]
WEIGHTS = ["data", "weights", "listings.json", "-w", "weights.json", "--out"]
WRITERS: dict[str, list[str]] = {
    "--input": INPUT,
    "--run": RUN[:-1],
    "train": ["train", "bm25", "-d", "rooms", "--out"],
    "bias": ["bias", "bm25", "-d", "rooms", "--json"],
    "data weights": WEIGHTS,
    "export": ["export", "bm25", "small"],
}
PLACES: dict[str, str] = {
    "a file that exists": "registry.yaml",
    "a folder that exists": "small",
    "below a file": "registry.yaml/out",
    "in /proc": "/proc/out",
    "a dangling link": "dangling",
    "a name that is too long": "o" * 240,
    "a name that is no UTF-8": "out\udce9",
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("command", WRITERS)
def test_a_place_that_cannot_be_written(run: Run, place: Path, command: str, where: str) -> None:
    (place / "dangling").symlink_to("nowhere")
    before = snapshot(place)
    refused(run, [*WRITERS[command], PLACES[where]], [PLACES[where].encode("ascii", "backslashreplace").decode()])
    assert snapshot(place) == before


@pytest.mark.parametrize("name", ["requests.jsonl", "./small/../requests.jsonl", "link", "hard"])
def test_the_input_is_not_written_over(run: Run, place: Path, name: str) -> None:
    (place / "link").symlink_to("requests.jsonl")
    (place / "hard").hardlink_to(place / "requests.jsonl")
    refused(run, [*INPUT, name], [Path(name).name, "the very file that is read"])
    assert (place / "requests.jsonl").read_text(encoding="utf-8") == REQUEST


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ([*RUN[:-1], "first.trec"], "--out"),
        ([*WEIGHTS, "listings.json"], "--out"),
        ([*WEIGHTS, "weights.json"], "--out"),
        (["bias", "bm25", "-d", "rooms", "--registry", "registry.yaml", "--json", "registry.yaml"], "--json"),
    ],
)
def test_no_other_input_either(run: Run, place: Path, arguments: list[str], option: str) -> None:
    before = snapshot(place)
    refused(run, list(arguments), [arguments[-1], option, "the very file that is read"])
    assert snapshot(place) == before


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# the environment

ENVIRONMENT: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    "a home that is a file": ({"RR_HOME": "registry.yaml"}, ["data", "show", "rooms"], ["$RR_HOME", "registry.yaml"]),
    "a home below a file": ({"RR_HOME": "registry.yaml/home"}, ["data", "show", "rooms"], ["$RR_HOME"]),
    "a home below a file, benched": ({"RR_HOME": "registry.yaml/home"}, ["bench", "bm25"], ["$RR_HOME"]),
    "a home below a file, for a run": ({"RR_HOME": "registry.yaml/home"}, RUN, ["$RR_HOME"]),
    "a home in /proc": ({"RR_HOME": "/proc/home"}, ["data", "show", "rooms"], ["/proc/home", "$RR_HOME"]),
    "a home in /proc, for a run": ({"RR_HOME": "/proc/home"}, RUN, ["/proc/home", "$RR_HOME"]),
    "a home that is a link to itself": ({"RR_HOME": "loop"}, ["data", "show", "rooms"], ["$RR_HOME", "loop"]),
    "a home of an unknown user": ({"RR_HOME": "~nobody-at-all/x"}, ["data", "show", "rooms"], ["RR_HOME"]),
    "a home whose name is too long": ({"RR_HOME": "h" * 300}, ["data", "show", "rooms"], ["too long"]),
    "a registry that is gone": ({"RR_REGISTRY": "gone.yaml"}, ["list"], ["gone.yaml", "$RR_REGISTRY"]),
    "a registry that is a folder": ({"RR_REGISTRY": "small"}, ["list"], ["small", "$RR_REGISTRY"]),
    "a variable in a path that is not set": ({"RR_REGISTRY": "variable.yaml"}, ["data", "show", "d"], ["RR_NOT_SET"]),
}


@pytest.mark.parametrize("case", ENVIRONMENT)
def test_a_bad_environment(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    variables, arguments, words = ENVIRONMENT[case]
    (place / "loop").symlink_to("loop")
    options = "{reader: beir, options: {folder: '${RR_NOT_SET}/x'}}"
    suite = SUITES.replace("{generator: films}", options)
    (place / "variable.yaml").write_text(HEAD + PROFILES + suite + RERANKERS, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused(run, list(arguments), words)


def test_plugins_that_are_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from rr.registry.plugins import installed_plugins

    monkeypatch.setenv("RR_PLUGINS", "baselins")
    installed_plugins.cache_clear()
    try:
        refused(run, ["list"], ["RR_PLUGINS", "'baselins'", "did you mean 'baselines'?"])
    finally:
        installed_plugins.cache_clear()
