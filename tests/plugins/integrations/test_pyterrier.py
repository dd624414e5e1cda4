"""In PyTerrier's own pipelines, without Java; and its frames and files as what rr reranks and judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import rr
from rr_integrations import frames
from tests.conftest import Rr
from tests.plugins.integrations.helpers import QUERY, TEXTS, framework, named

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def pt() -> Any:
    return framework("pyterrier")


@pytest.fixture(scope="module")
def adapter() -> Any:
    return framework("rr_integrations.pyterrier")


def results() -> pd.DataFrame:
    rows = [
        {
            "qid": qid,
            "query": query,
            "docno": f"d{place}",
            "text": text,
            "price": place,
            "score": 5.0 - place,
            "rank": place,
        }
        for qid, query in (("q2", QUERY), ("q1", "nothing"))
        for place, text in enumerate(TEXTS)
    ]
    return pd.DataFrame(rows)


def test_in_a_pipeline(pt: Any, adapter: Any, tmp_path: Path) -> None:
    first = pt.Transformer.from_df(results())
    pipeline = first >> adapter.RegistryReranker(named(tmp_path, "words"), top_n=3) % 2
    topics = pd.DataFrame([{"qid": "q2", "query": QUERY}, {"qid": "q1", "query": "nothing"}])
    found = pipeline(topics)
    assert found[["qid", "docno", "score", "rank", "price"]].values.tolist() == [
        ["q2", "d4", 1.0, 0, 4],
        ["q2", "d2", 1.0, 1, 2],
        ["q1", "d3", 1.0, 0, 3],
        ["q1", "d4", 0.0, 1, 4],
    ]
    assert pipeline.search(QUERY, qid="q2")["docno"].tolist() == ["d4", "d2"]


def test_in_an_experiment_beside_the_first_stage(pt: Any, adapter: Any, tmp_path: Path) -> None:
    qrels = pd.DataFrame([{"qid": "q2", "docno": "d4", "label": 1}, {"qid": "q1", "docno": "d3", "label": 1}])
    topics = results()[["qid", "query"]].drop_duplicates()
    first = pt.Transformer.from_df(results())
    reranked = first >> adapter.RegistryReranker(named(tmp_path, "words"))
    table = pt.Experiment([first, reranked], topics, qrels, ["recip_rank"], names=["first", "words"])
    assert dict(zip(table["name"], table["recip_rank"], strict=True)) == {"first": (1 / 5 + 1 / 4) / 2, "words": 1.0}
    judged = rr.evaluate(run=frames.run(reranked(topics)), qrels={"q2": {"d4": 1}, "q1": {"d3": 1}}, metrics=["MRR@10"])
    assert judged.metrics["MRR@10"].mean == 1.0


def test_what_is_there_stays(adapter: Any, tmp_path: Path) -> None:
    given = results().sample(frac=1, random_state=7)  # whose index is no range
    found = adapter.RegistryReranker(named(tmp_path, "words"))(given)
    assert sorted(found.columns) == sorted(given.columns)
    assert found.set_index(["qid", "docno"])["text"].to_dict() == given.set_index(["qid", "docno"])["text"].to_dict()
    empty = adapter.RegistryReranker(named(tmp_path, "words"))(results().iloc[:0])
    assert (len(empty), sorted(empty.columns)) == (0, sorted(given.columns))
    kept = adapter.RegistryReranker(named(tmp_path, "shares"), min_probability=0.9)(given)
    assert sorted(kept["docno"]) == ["d2", "d3", "d4"]
    bare = adapter.RegistryReranker(named(tmp_path, "words"))(results().drop(columns=["score", "rank"]))
    assert bare["docno"].tolist() == found.sort_values("qid", ascending=False, kind="stable")["docno"].tolist()


def test_the_scores_of_the_first_stage_are_shown(adapter: Any, tmp_path: Path) -> None:
    found = adapter.RegistryReranker(named(tmp_path, "shown"))(results())
    assert found["docno"].tolist()[:5] == ["d0", "d1", "d2", "d3", "d4"]


def test_frames_that_cannot_be(adapter: Any, tmp_path: Path) -> None:
    words = adapter.RegistryReranker(named(tmp_path, "words"), text_field="body")
    with pytest.raises(KeyError, match="body"):
        words(results())
    with pytest.raises(rr.DataError, match="query 'q2', document 'd0': text is float, not text; fetch the texts"):
        frames.candidates(results().assign(text=float("nan")))
    with pytest.raises(rr.DataError, match="two candidates share an id"):
        frames.candidates(results().assign(docno="d"))


def test_its_runs_are_candidates_of_rr(pt: Any, rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    """Reranked from disk, and judged."""
    frame = results()
    pt.io.write_results(frame, str(tmp_path / "first.res.gz"))
    data = tmp_path / "beir"
    data.mkdir()
    texts = frame.drop_duplicates("docno")
    pd.DataFrame({"_id": texts["docno"], "text": texts["text"]}).to_json(
        data / "corpus.jsonl", orient="records", lines=True
    )
    queries = frame.drop_duplicates("qid")
    pd.DataFrame({"_id": queries["qid"], "text": queries["query"]}).to_json(
        data / "queries.jsonl", orient="records", lines=True
    )
    arguments = ("--run", "first.res.gz", "--data", str(data), "--out", "out.trec", "--registry", str(small_registry))
    ended = rr_command("rerank", "bm25", *arguments)
    assert ended.returncode == 0, ended.stderr
    found = pt.io.read_results(str(tmp_path / "out.trec"))
    expected = rr.load("bm25", registry=small_registry).rerank_all(frames.candidates(frame))
    order = found.sort_values(["qid", "rank"], ascending=[False, True])["docno"].tolist()
    assert order == [item.document.id for one in expected for item in one]
    judged = rr.evaluate(run=tmp_path / "first.res.gz", qrels={"q2": {"d0": 1}}, metrics=["MRR@10"])
    assert judged.metrics["MRR@10"].mean == 1.0
