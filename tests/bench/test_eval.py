"""`rr eval`: any run against any judgements, by the same arithmetic as trec_eval's."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval

from rr.errors import DataError
from rr_bench.judge.files import read_qrels_file, read_run_file
from rr_bench.judge.judge import compared, judge
from tests.conftest import Rr

TREC_EVAL = {"nDCG@10": "ndcg_cut_10", "MRR": "recip_rank", "MAP": "map", "Recall@5": "recall_5", "Hit@1": "success_1"}
RUN = {"q1": {"d1": 0.5, "d2": 2.0, "tài liệu": 1.0}, "q2": {"d3": 1.0}}
QRELS = {"q1": {"d2": 1, "d9": 2}, "q2": {"d3": 1, "d1": 0}}


def trec_run(run: dict[str, dict[str, float]], ranked: bool = True) -> str:
    lines = []
    for query, scores in run.items():
        ordered = sorted(scores.items(), key=lambda pair: -pair[1])
        lines += [
            f"{query} Q0 {id_} {rank if ranked else 0} {score!r} tag" for rank, (id_, score) in enumerate(ordered, 1)
        ]
    return "\n".join(lines) + "\n"


def trec_qrels(qrels: dict[str, dict[str, int]]) -> str:
    return "".join(f"{query} 0 {id_} {grade}\n" for query, judged in qrels.items() for id_, grade in judged.items())


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return written(tmp_path / "run.trec", trec_run(RUN).replace("tài liệu", "d4"))


@pytest.fixture
def qrels(tmp_path: Path) -> Path:
    return written(tmp_path / "some.qrels", trec_qrels(QRELS))


@pytest.mark.parametrize("seed", range(30))
def test_figures_are_those_of_trec_eval(seed: int, tmp_path: Path, rr_command: Rr) -> None:
    generator = random.Random(seed)
    ids = [f"d{n}" for n in range(40)]
    qrels = {f"q{n}": {id_: generator.choice([-1, 0, 0, 1, 2]) for id_ in generator.sample(ids, 12)} for n in range(20)}
    for judged in qrels.values():
        judged["d99"] = 1  # one at least is relevant
    run = {
        f"q{n}": {
            id_: generator.choice([round(generator.random(), 1), generator.random()])
            for id_ in generator.sample(ids, generator.randint(1, 25))
        }
        for n in range(2, 22)
    }
    files = written(tmp_path / "run", trec_run(run)), written(tmp_path / "qrels", trec_qrels(qrels))
    metrics = ",".join(TREC_EVAL)
    ended = rr_command("eval", *files, "--metrics", metrics, "--json", "--per-query")
    (found,) = json.loads(ended.stdout)["runs"]
    # trec_eval takes 0 for a grade below 0 in nDCG, as we do everywhere
    oracle = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recip_rank", "map", "recall.5", "success.1"})
    theirs = oracle.evaluate(run)
    for ours, name in TREC_EVAL.items():
        for query in qrels:
            wanted = theirs[query][name] if query in theirs else 0.0
            assert found["per_query"][ours][query] == pytest.approx(wanted, abs=1e-9), (ours, query)
        mean = sum(found["per_query"][ours].values()) / len(qrels)
        assert found["metrics"][ours]["mean"] == pytest.approx(mean, abs=1e-12)
    assert any("2 of 20 judged queries are not in the run" in line for line in found["warnings"])
    assert any("2 queries of the run are not judged" in line for line in found["warnings"])


def forms_of_runs() -> dict[str, tuple[str, str]]:
    rankings = [
        {
            "id": query,
            "query": "x",
            "ranking": [
                {"rank": n, "id": id_, "score": score, "text": ""}
                for n, (id_, score) in enumerate(sorted(scores.items(), key=lambda p: -p[1]), 1)
            ],
        }
        for query, scores in RUN.items()
    ]
    return {
        "json": ("run.json", json.dumps(RUN)),
        "indented json": ("run.json", json.dumps(RUN, indent=1)),
        "rr rerank": ("run.jsonl", "".join(json.dumps(one) + "\n" for one in rankings)),
    }


@pytest.mark.parametrize("form", ["trec", *forms_of_runs()])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_form_of_a_run(form: str, compressed: bool, tmp_path: Path) -> None:
    name, text = forms_of_runs().get(form) or ("run.trec", trec_run(RUN).replace("tài liệu", "tài-liệu"))
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    found = read_run_file(path)
    assert found.warnings == []
    assert {
        q: {id_.replace("-", " "): score for id_, score in scores.items()} for q, scores in found.scores.items()
    } == RUN


@pytest.mark.parametrize(
    "text",
    [
        trec_qrels(QRELS),
        "query-id\tcorpus-id\tscore\n" + trec_qrels(QRELS).replace(" 0 ", "\t").replace(" ", "\t"),
        json.dumps(QRELS),
        "".join(
            json.dumps({"query": q, "document": d, "grade": g}) + "\n"
            for q, judged in QRELS.items()
            for d, g in judged.items()
        ),
    ],
    ids=["trec", "beir", "json", "jsonl"],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_form_of_judgements(text: str, compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / "qrels"
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    assert read_qrels_file(path) == (QRELS, [])


def test_a_line_of_json_may_leave_out_the_grade(tmp_path: Path) -> None:
    path = written(tmp_path / "qrels", '{"query": "q1", "document": "d1"}\n')
    assert read_qrels_file(path) == ({"q1": {"d1": 1}}, [])


def test_what_is_odd_is_told(tmp_path: Path, rr_command: Rr) -> None:
    run = written(
        tmp_path / "run",
        "q1 Q0 d1 1 0.5 t\nq1 Q0 d2 2 0.9 t\nq1 Q0 d1 3 0.1 t\nq2 Q0 d3 0 1 t\nq2 Q0 d4 0 2 t\n"
        "q7 Q0 d3 1 1 t\nq3 Q0 a 1 0.10000000001 t\nq3 Q0 b 2 0.1 t\n",
    )
    qrels = written(tmp_path / "qrels", "q1 0 d1 1\nq1 0 d1 1\nq2 0 d3 1\nq3 0 a 0\nq4 0 d1 1\n")
    ended = rr_command("eval", run, qrels, "--metrics", "MRR")
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        f"warning: {qrels}: 1 judgements come again, alike; first line 2, query 'q1', document 'd1'",
        f"warning: {run}: 1 times a document comes again for its query, of which the first counts; first line 3, "
        "query 'q1', document 'd1'",
        f"warning: {run}: 1 queries have ranks that contradict the scores, which count; first query 'q1'",
        f"warning: {run}: 1 queries have scores that 32 bits cannot tell apart, tied as in trec_eval; first 'q3'",
        f"warning: {run}: 1 of 4 judged queries are not in the run, and count 0; first 'q4'",
        f"warning: {run}: 1 queries of the run are not judged, and left out; first 'q7'",
        f"warning: {run}: 1 judged queries have no relevant document, and count 0; first 'q3'",
        f"warning: {run}: 50.0% of the first 10 documents are not judged, and count as not relevant",
    ]
    assert "0.2500 [" in ended.stdout  # (1/2 + 1/2 + 0 + 0) / 4
    assert "4 judged queries" in ended.stdout


def test_runs_are_compared_query_by_query(tmp_path: Path, rr_command: Rr) -> None:
    generator = random.Random(3)
    qrels = {f"q{n}": {"d0": 1} for n in range(40)}
    runs: list[dict[str, dict[str, float]]] = [
        {q: {f"d{n}": generator.random() + (n == 0) * better for n in range(8)} for q in qrels}
        for better in (0.5, 0.0, 0.5)
    ]
    files = [written(tmp_path / f"run{n}", trec_run(run)) for n, run in enumerate(runs)]
    judged = written(tmp_path / "qrels", trec_qrels(qrels))
    ended = rr_command(
        "eval",
        files[0],
        judged,
        "--against",
        files[1],
        "--baseline",
        files[2],
        "-m",
        "MRR,Hit@1",
        "--json",
        "--per-query",
    )
    told = json.loads(ended.stdout)
    assert [one["run"] for one in told["runs"]] == list(map(str, files))
    values = [one["per_query"]["MRR"] for one in told["runs"]]
    first = told["compared"][0]
    gaps = [values[0][q] - values[1][q] for q in qrels]
    assert (first["other"], first["metric"]) == (str(files[1]), "MRR")
    assert first["difference"]["mean"] == pytest.approx(sum(gaps) / 40)
    assert (first["wins"], first["losses"]) == (sum(g > 0 for g in gaps), sum(g < 0 for g in gaps))
    assert first["wins"] + first["ties"] + first["losses"] == 40
    assert first["difference"]["p"] < first["difference"]["p_holm"] < 0.01
    assert len(told["compared"]) == 4
    assert all(one["difference"]["p"] <= one["difference"]["p_holm"] for one in told["compared"])
    table = rr_command("eval", files[0], judged, "--against", files[1]).stdout
    assert "Holm" in table
    assert str(files[1]) in table


def test_a_run_against_itself_differs_nowhere(run: Path, qrels: Path) -> None:
    one = judge(read_run_file(run), "one", read_qrels_file(qrels)[0], ["MRR"])
    (found,) = compared(one, [one])
    assert (found.difference.mean, found.difference.p, found.ties) == (0.0, 1.0, 2)


def test_values_of_every_query_are_lines(run: Path, qrels: Path, rr_command: Rr) -> None:
    said = rr_command("eval", run, qrels, "--metrics", "Hit@1", "--per-query").stdout.splitlines()
    assert said[:2] == ["Hit@1\tq1\t1.0000", "Hit@1\tq2\t1.0000"]


BAD: dict[str, tuple[Any, Any, str]] = {
    "no file": (None, trec_qrels(QRELS), "no such file"),
    "empty": ("", trec_qrels(QRELS), "is empty"),
    "five columns": ("q1 Q0 d1 1 0.5\n", trec_qrels(QRELS), "line 1: 5 columns; write 6"),
    "no number": ("q1 Q0 d1 1 x t\n", trec_qrels(QRELS), "line 1: 'score' must be a finite number"),
    "not finite": ("q1 Q0 d1 1 inf t\n", trec_qrels(QRELS), "must be a finite number"),
    "other queries": ("x1 Q0 d1 1 1 t\n", trec_qrels(QRELS), "none of its 1 queries is judged"),
    "contradiction": (
        trec_run(RUN, False).replace("tài liệu", "x"),
        "q1 0 d1 1\nq1 0 d1 2\n",
        "judged 2 here and 1 before",
    ),
    "half a grade": (trec_run(RUN).replace("tài liệu", "x"), "q1 0 d1 0.5\n", "must be a whole number"),
    "a large grade": (trec_run(RUN).replace("tài liệu", "x"), "q1 0 d1 99999999999\n", "does not fit into 32 bits"),
    "half of gzip": (gzip.compress(b"q1 Q0 d1 1 1 t\n" * 50)[:-9], trec_qrels(QRELS), "cannot be unpacked"),
    "broken JSON": ('{"q1": {"d1": 1', trec_qrels(QRELS), "run"),
    "other JSON": ('{"q1": {"d1": "x"}}', trec_qrels(QRELS), "query 'q1': 'score' must be a finite number"),
    "a list": ('{"ranking": 3}\n{"ranking": 4}', trec_qrels(QRELS), "line 1"),
    "not UTF-8": (b"q1 Q0 d\xff 1 1 t\n", trec_qrels(QRELS), "is not UTF-8"),
}


@pytest.mark.parametrize(("run", "qrels", "told"), BAD.values(), ids=BAD)
def test_what_cannot_be_judged_is_told_in_a_line(
    run: Any, qrels: str, told: str, tmp_path: Path, rr_command: Rr
) -> None:
    if run is not None:
        (tmp_path / "run").write_bytes(run if isinstance(run, bytes) else run.encode())
    ended = rr_command("eval", tmp_path / "run", written(tmp_path / "qrels", qrels))
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert told in line
    assert str(tmp_path) in line


@pytest.mark.parametrize(
    ("metrics", "told"),
    [("nDGC@10", "did you mean 'nDCG'"), ("", "--metrics: a name is empty"), ("MRR:valid-retrieval", "first stage")],
)
def test_metrics_that_there_are_not(run: Path, qrels: Path, metrics: str, told: str, rr_command: Rr) -> None:
    ended = rr_command("eval", run, qrels, "--metrics", metrics)
    assert ended.returncode == 2
    assert told in ended.stderr


def test_ids_stay_as_they_came(tmp_path: Path) -> None:
    path = written(tmp_path / "run", "q\u00a01 Q0 d\u00a01 1 1 t\n")
    assert read_run_file(path).scores == {"q\u00a01": {"d\u00a01": 1.0}}
    with pytest.raises(DataError, match="none of its 1 queries"):
        judge(read_run_file(path), "run", {"q 1": {"d 1": 1}}, ["MRR"])
