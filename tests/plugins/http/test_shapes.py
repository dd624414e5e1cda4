"""What each API is asked, what is read from its answer, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, get_args

import pytest

import rr
from rr import Document, Query, Request, RerankError, Scores, ScoringError
from rr.registry.validation import validated
from rr.rerank.gate import score_all
from rr_http.scorer import HttpScorer
from rr_http.settings import HttpSettings
from rr_http.shapes import ShapeName
from tests.plugins.http import api as loopback
from tests.plugins.http.api import PATHS, SERVED, TOKENS, Api, changed, content, score, serving


def requests(count: int = 1, candidates: int = 3) -> list[Request]:
    texts = ["a red lamp", "một phòng yên tĩnh", "a blue piano in Hanoi", "the very last one", "ключ"]
    return [
        Request(
            Query(f"q{number}", f"who sells a red piano, number {number}"),
            tuple(Document(f"d{at}", f"{texts[at % 5]} {at}", "title" if at % 2 else "") for at in range(candidates)),
        )
        for number in range(count)
    ]


def scorer(api: Api, **settings: Any) -> HttpScorer:
    return HttpScorer(validated(HttpSettings, api.settings(**settings), "settings"))


def asked(api: Api, count: int = 1, candidates: int = 3, **settings: Any) -> list[Scores]:
    return score_all(scorer(api, **settings), requests(count, candidates))


def test_scores_stand_in_the_order_of_the_candidates(api: Api) -> None:
    found = asked(api, 3)
    for request, scores in zip(requests(3), found, strict=True):
        expected = [score(request.query.text, document.content) for document in request.candidates]
        assert scores.values == pytest.approx(expected)
    assert {*api.paths} == {PATHS[api.shape]}


def test_what_is_sent_is_what_the_api_takes(api: Api) -> None:
    asked(api)
    (request,), (body,) = requests(), api.seen
    texts = [document.content for document in request.candidates]
    query = request.query.text
    assert (
        body
        == {
            "cohere-v1": {
                "model": "rerank-1",
                "query": query,
                "documents": texts,
                "top_n": 3,
                "return_documents": False,
            },
            "cohere-v2": {"model": "rerank-1", "query": query, "documents": texts, "top_n": 3},
            "jina": {"model": "rerank-1", "query": query, "documents": texts, "top_n": 3, "return_documents": False},
            "voyage": {
                "model": "rerank-1",
                "query": query,
                "documents": texts,
                "top_k": 3,
                "return_documents": False,
                "truncation": True,
            },
            "tei": {"query": query, "texts": texts, "truncate": True, "raw_scores": False, "return_text": False},
        }[api.shape]
    )


def test_what_an_answer_costs_is_told(api: Api) -> None:
    (found,) = asked(api)
    told = {name: value for name, value in found.diagnostics.items() if name not in ("tied", "constant")}
    tokens = TOKENS[api.shape]
    expected = {"tokens": tokens} if tokens else {"billed_calls": 1.0}
    assert told == {"requests": 1.0, "retries": 0.0, **expected}


def test_the_last_word_of_a_url_is_the_shapes_own_or_the_users(cohere: Api) -> None:
    asked(cohere, url=f"{cohere.url}/gateway/rerank")
    asked(cohere, url=f"{cohere.url}/")
    assert cohere.paths == ["/gateway/rerank", "/v2/rerank"]


def test_more_documents_than_a_call_may_have_are_asked_in_several(api: Api) -> None:
    (whole,) = asked(api, candidates=7)
    (parts,) = asked(api, candidates=7, max_documents=3)
    assert parts.values == whole.values
    assert parts.diagnostics["requests"] == 3
    assert sorted(len(body.get("texts", body.get("documents"))) for body in api.seen) == [1, 3, 3, 7]
    if TOKENS[api.shape]:
        assert parts.diagnostics["tokens"] == 21
    assert scorer(api, max_documents=3).info.max_candidates is None


def test_a_listwise_model_is_never_asked_in_parts(cohere: Api) -> None:
    info = scorer(cohere, listwise=True, max_documents=3).info
    assert (info.listwise, info.max_candidates) == (True, 3)
    with pytest.raises(ScoringError, match="7 candidates, and the scorer takes 3"):
        asked(cohere, candidates=7, listwise=True, max_documents=3)
    assert not cohere.seen


def test_what_the_scores_mean() -> None:
    with serving("tei") as api:
        assert scorer(api).info.scale == "probability"
        assert scorer(api, raw_scores=True).info.scale == "logit"
        (found,) = asked(api, raw_scores=True)
        assert min(found.values) < 0
        assert api.seen[-1]["raw_scores"] is True
    with serving("jina") as api:
        api.always = changed(lambda rows: [{**row, "relevance_score": -0.5} for row in rows])
        with pytest.raises(ScoringError, match=r"-0.5, and a probability lies between 0 and 1; set scale"):
            asked(api)
        assert asked(api, scale="cosine")[0].values == (-0.5,) * 3


def test_documents_that_were_cut_are_counted(api: Api) -> None:
    (found,) = asked(api, candidates=4, max_characters=12)
    texts = [document.content for document in requests(1, 4)[0].candidates]
    sent = api.seen[0]["texts" if api.shape == "tei" else "documents"]
    assert sent == [text[:12] for text in texts]
    assert found.diagnostics["truncated"] == sum(len(text) > 12 for text in texts) / 4 == 0.75
    assert "does not tell which" not in " ".join(scorer(api, max_characters=12).info.notes)
    assert "does not tell which" in " ".join(scorer(api).info.notes)


def test_an_api_that_can_refuse_long_texts_is_told_to(api: Api) -> None:
    name = {"voyage": "truncation", "tei": "truncate"}.get(api.shape)
    if name is None:
        with pytest.raises(RerankError, match="always cuts"):
            scorer(api, truncation=False)
    else:
        asked(api, truncation=False)
        assert api.seen[0][name] is False


def test_further_fields_are_sent(cohere: Api) -> None:
    asked(cohere, body={"max_tokens_per_doc": 100, "priority": 1})
    assert cohere.seen[0]["max_tokens_per_doc"] == 100


def test_another_model_than_was_asked_for_is_said() -> None:
    with serving("voyage") as api:
        api.always = lambda handler, body: handler.give(200, {**loopback.right("voyage", body), "model": "rerank-1.5"})
        one = scorer(api)
        score_all(one, requests())
        assert "asked for rerank-1, it says that rerank-1.5 answers" in one.info.notes


def test_what_serves_is_part_of_the_keys() -> None:
    with serving("tei") as api:
        settings = validated(HttpSettings, api.settings(), "settings")
        assert "some/reranker" in settings.version()
        assert "abc123" in settings.version()
        assert api.gets == ["/info", "/info"]
        SERVED["model_sha"], before = "def456", SERVED["model_sha"]
        try:
            assert "def456" in settings.version()
        finally:
            SERVED["model_sha"] = before
        assert validated(HttpSettings, api.settings(release="mine"), "settings").version() == "mine"
    with pytest.raises(RerankError, match=r"127\.0\.0\.1:\d+: .*refused"):
        validated(HttpSettings, {**api.settings(retries=0)}, "settings").version()
    with serving("cohere-v2") as api:
        assert validated(HttpSettings, api.settings(), "settings").version() == ""
        assert validated(HttpSettings, api.settings(release="2026-10"), "settings").version() == "2026-10"


Rows = list[dict[str, Any]]
WRONG: dict[str, tuple[Callable[[Rows], Sequence[Any]], str]] = {
    "one too few": (lambda rows: rows[1:], "2 scores for 3 documents"),
    "one too many": (lambda rows: [*rows, rows[0]], "4 scores for 3 documents"),
    "none": (lambda rows: [], "0 scores for 3 documents"),
    "one twice": (lambda rows: [rows[0], rows[0], rows[1]], "twice"),
    "an index beyond": (lambda rows: [*rows[1:], {**rows[0], "index": 3}], "a result whose index is none of the 3"),
    "an index below": (lambda rows: [*rows[1:], {**rows[0], "index": -1}], "a result whose index is none of the 3"),
    "an index that is text": (lambda rows: [*rows[1:], {**rows[0], "index": "0"}], "index is none of the 3"),
    "an index that is true": (lambda rows: [*rows[1:], {**rows[0], "index": True}], "index is none of the 3"),
    "NaN": (lambda rows: [{**row, "relevance_score": float("nan"), "score": float("nan")} for row in rows], "NaN"),
    "infinite": (lambda rows: [{**row, "relevance_score": float("inf"), "score": float("inf")} for row in rows], "Inf"),
    "null": (lambda rows: [{**row, "relevance_score": None, "score": None} for row in rows], "no finite number"),
    "text": (lambda rows: [{**row, "relevance_score": "0.5", "score": "0.5"} for row in rows], "no finite number"),
    "true": (lambda rows: [{**row, "relevance_score": True, "score": True} for row in rows], "no finite number"),
    "numbers alone": (lambda rows: [0.5, 0.5, 0.5], "a result whose index"),
    "under another name": (lambda rows: [{"index": row["index"], "points": 1} for row in rows], "no finite number"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_is_refused_in_one_line_and_not_asked_again(api: Api, wrong: str) -> None:
    change, said = WRONG[wrong]
    api.always = changed(change)
    with pytest.raises(ScoringError, match=said) as told:
        asked(api)
    line = str(told.value)
    assert "\n" not in line
    assert f"127.0.0.1:{api.server_port}: status 200: " in line
    assert line.startswith("query 'q0': ")
    assert len(api.seen) == 1


RUBBISH = {
    b"<html><body>Welcome</body></html>": "HTML in the place of an answer",
    b"\x00\xff\xfe rubbish": "no JSON",
    b"": "nothing in the place",
    b'{"results": [{"index": 0, "relev': "no JSON",
    b'"text"': "JSON with no list",
    b"{}": "JSON with no list",
    b'{"results": {}, "data": 5}': "JSON with no list",
    b"[" * 100_000: "no JSON",
    b'{"results": [{"index": 0, "relevance_score": ' + b"9" * 5000 + b"}]}": "no JSON",
}


@pytest.mark.parametrize("data", RUBBISH, ids=lambda data: repr(data[:12]))
def test_rubbish_is_refused(api: Api, data: bytes) -> None:
    api.always = content(data, "text/html" if data[:1] == b"<" else "application/json")
    with pytest.raises(ScoringError, match=RUBBISH[data]) as told:
        asked(api)
    assert "check url and shape" in str(told.value)
    assert len(api.seen) == 1


def test_an_answer_without_end_is_not_read_to_its_end(cohere: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rr_http.client.LARGEST", 2**20)
    cohere.always = content(b'{"results": [' + b" " * 2**23 + b"]}")
    with pytest.raises(ScoringError, match="more than 1 MiB"):
        asked(cohere)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shape": "openai"}, "shape: Input should be 'cohere-v1', 'cohere-v2', 'jina', 'voyage' or 'tei'"),
        ({"url": "api.cohere.com"}, "url: it must be a whole url"),
        ({"url": "ftp://host/x"}, "url: it must be a whole url"),
        ({"url": "http://host:port/x"}, "url: it must be a whole url"),
        ({"url": "http://[::1/x"}, "url: it must be a whole url"),
        ({"url": "https://me:word@host/x"}, "url: it must hold no password or key"),
        ({"url": "https://host/x?api_key=abcdef"}, "url: it must hold no password or key"),
        ({"url": "https://host/x#there"}, "url: leave out what follows the #"),
        ({"model": ""}, "shape cohere-v2 needs a model"),
        ({"shape": "tei"}, "tei serves one model"),
        ({"raw_scores": True}, "raw_scores: only tei has them"),
        ({"timeout": 0}, "timeout: Input should be greater than 0"),
        ({"concurrency": 0}, "concurrency: Input should be greater"),
        ({"retries": -1}, "retries: Input should be greater"),
        ({"max_documents": 0}, "max_documents: Input should be greater"),
        ({"body": {"top_n": 1}}, "body: top_n: another setting decides it"),
        ({"body": {"documents": "x"}}, "body: documents: another setting decides it"),
        ({"body": {"api_key": "abcdef"}}, "body: it must hold no password or key"),
        ({"api_key": "abcdef"}, "unknown key 'api_key'"),
        ({"top_n": 5}, "unknown key 'top_n'"),
    ],
)
def test_settings_that_cannot_be_are_told(settings: dict[str, Any], said: str) -> None:
    given = {"shape": "cohere-v2", "url": "https://api.cohere.com", "model": "rerank-v3.5", **settings}
    with pytest.raises(RerankError, match=re.escape(said)) as told:
        validated(HttpSettings, given, "settings")
    assert "abcdef" not in str(told.value)


def test_every_setting_is_described() -> None:
    assert all(field.description for field in list(HttpSettings.model_fields.values())[3:])
    assert issubclass(HttpSettings, rr.Settings)
    assert json.dumps(HttpSettings.model_json_schema())
    assert {*PATHS} == {*get_args(ShapeName)}
