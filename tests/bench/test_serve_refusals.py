"""What `rr serve` refuses: with a status that clients understand, and one line that says what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import rr
from rr_bench.serve.keys import Keys, read_keys
from rr_bench.serve.limits import Limits
from rr_bench.serve.logs import JsonLines
from rr_bench.serve.server import Server
from tests.bench.served import QUICK, ask, get, running

LIMITS = Limits(documents=5, bytes=3000, tokens=200)
GOOD: dict[str, Any] = {"query": "cat", "documents": ["a", "b"]}
TEI: dict[str, Any] = {"query": "cat", "texts": ["a", "b"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("served"), "words", "bm25", limits=LIMITS) as found:
        yield found


def one_line(response: httpx.Response, status: int, told: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["message"]
    message = response.json()["message"]
    assert told in message
    assert message == " ".join(message.split())
    assert len(message) < 600


BODIES = [
    # what is missing or of another type
    ("/v1/rerank", {}, 422, "query: it is missing (and 1 more)"),
    ("/v1/rerank", {"documents": ["a"]}, 422, "query: it is missing"),
    ("/v1/rerank", {"query": "cat"}, 422, "documents: it is missing"),
    ("/v1/rerank", [], 422, "the body: it should be a JSON object"),
    ("/v1/rerank", "text", 422, "the body: "),
    ("/v1/rerank", {**GOOD, "query": ""}, 422, "query: String should have at least 1"),
    ("/v1/rerank", {**GOOD, "query": None}, 422, "query: it should be a valid string"),
    ("/v1/rerank", {**GOOD, "query": 7}, 422, "query: it should be a valid string"),
    ("/v1/rerank", {**GOOD, "query": ["a"]}, 422, "query: it should be a valid string"),
    ("/v1/rerank", {**GOOD, "documents": []}, 422, "documents: List should have at least 1"),
    ("/v1/rerank", {**GOOD, "documents": "a"}, 422, "documents: it should be a valid list"),
    ("/v1/rerank", {**GOOD, "documents": {"a": "b"}}, 422, "documents: it should be a valid list"),
    ("/v1/rerank", {**GOOD, "documents": ["a", 7]}, 422, "documents[1]: it should be a text, or an object"),
    ("/v1/rerank", {**GOOD, "documents": ["a", None]}, 422, "documents[1]: it should be a text, or an object"),
    ("/v1/rerank", {**GOOD, "documents": [["a"]]}, 422, "documents[0]: it should be a text, or an object"),
    ("/v1/rerank", {**GOOD, "documents": [{"txt": "a"}]}, 422, "documents[0] has no 'text'; give it"),
    ("/v1/rerank", {**GOOD, "documents": [{"text": 7}]}, 422, "documents[0]: what is ranked must be text"),
    ("/v1/rerank", {**GOOD, "documents": [{"text": None}]}, 422, "documents[0]: what is ranked must be text"),
    ("/v1/rerank", {**GOOD, "documents": [{"image": "x"}]}, 422, "documents[0] has no 'text'"),
    ("/v1/rerank", {**GOOD, "documents": [{"a": "x"}], "rank_fields": ["b"]}, 422, "has no 'b'; give it, or name"),
    ("/v1/rerank", {**GOOD, "rank_fields": []}, 422, "rank_fields: List should have at least 1"),
    ("/v1/rerank", {**GOOD, "rank_fields": "a"}, 422, "rank_fields: it should be a valid list"),
    ("/v1/rerank", {**GOOD, "top_n": 0}, 422, "top_n: it should be greater than or equal to 1"),
    ("/v1/rerank", {**GOOD, "top_n": -1}, 422, "top_n: it should be greater"),
    ("/v1/rerank", {**GOOD, "top_n": "2"}, 422, "top_n: it should be a valid integer"),
    ("/v1/rerank", {**GOOD, "top_n": 1.5}, 422, "top_n: it should be a valid integer"),
    ("/v1/rerank", {**GOOD, "top_n": True}, 422, "top_n: it should be a valid integer"),
    ("/v2/rerank", {**GOOD, "return_documents": "yes"}, 422, "return_documents: it should be a valid boolean"),
    ("/v2/rerank", {**GOOD, "max_tokens_per_doc": 0}, 422, "max_tokens_per_doc: it should be greater"),
    ("/v2/rerank", {**GOOD, "max_chunks_per_doc": "many"}, 422, "max_chunks_per_doc: it should be a valid integer"),
    ("/v2/rerank", {**GOOD, "model": 7}, 422, "model: it should be a valid string"),
    ("/rerank", {"query": "a"}, 422, "texts: it is missing"),
    ("/rerank", GOOD, 422, "texts: it is missing"),
    ("/rerank", {**TEI, "texts": []}, 422, "texts: List should have at least 1"),
    ("/rerank", {**TEI, "texts": [{"text": "a"}]}, 422, "texts[0]: it should be a valid string"),
    ("/rerank", {**TEI, "raw_scores": "no"}, 422, "raw_scores: it should be a valid boolean"),
    ("/rerank", {**TEI, "truncation_direction": "Left"}, 422, "truncation_direction: it should be 'right' or 'Right'"),
    # names
    ("/v2/rerank", {**GOOD, "model": "nosuch"}, 404, "no model 'nosuch' is served here; there are words, bm25"),
    ("/rerank", {**TEI, "model": "x" * 900}, 404, "is served here"),
    ("/v1/nosuch", GOOD, 404, "nothing is at '/v1/nosuch'; POST /v1/rerank"),
    # too much
    ("/v1/rerank", {**GOOD, "documents": ["a"] * 6}, 413, "6 documents, and this server takes 5; send fewer"),
    ("/rerank", {**TEI, "texts": ["a"] * 6}, 413, "6 documents"),
    ("/v1/rerank", {**GOOD, "documents": ["a" * 2900]}, 413, "about 726 tokens (4 bytes of UTF-8 each)"),
    ("/v1/rerank", {**GOOD, "query": "q" * 400, "documents": ["a"] * 5}, 413, "about 501 tokens"),
    ("/v1/rerank", {**GOOD, "documents": ["a" * 3000]}, 413, "the body has more than 3,000 bytes"),
]


@pytest.mark.parametrize(("path", "body", "status", "told"), BODIES)
def test_a_bad_body_is_told_in_a_line(server: Server, path: str, body: Any, status: int, told: str) -> None:
    one_line(ask(server, body, path), status, told)


RAW: list[tuple[bytes, str, int, str]] = [
    (b"", "application/json", 422, "the body: it is missing"),
    (b"null", "application/json", 422, "the body: it should be a JSON object"),
    (b"{", "application/json", 400, "the body is no JSON: Expecting property name"),
    (b'{"query": "a", "documents": ["a"]', "application/json", 400, "the body is no JSON: Expecting ',' delimiter"),
    (b"\xff\xfe", "application/json", 400, "the body is no JSON"),
    (b'{"query": "a", "documents": ["\xff"]}', "application/json", 400, "the body cannot be read as JSON"),
    (b'{"query": ' + b"9" * 2800, "application/json", 400, "the body is no JSON"),
    (b"[" * 2900, "application/json", 400, "the body cannot be read as JSON"),
    (b'{"query": NaN, "documents": ["a"]}', "application/json", 422, "query: it should be"),
    (b'{"query": "\\ud800", "documents": ["a"]}', "application/json", 422, ""),
    (b'{"query": "a", "documents": ["\\udc00 b"]}', "application/json", 422, ""),
    (b'{"query": "a", "documents": [{"text": "\\udc00 b"}]}', "application/json", 422, "half of a surrogate pair"),
    (
        b'{"query": "a", "documents": [{"text": "b", "x": "\\udc00"}], "return_documents": true}',
        "application/json",
        422,
        "that JSON cannot carry",
    ),
    (
        b'{"query": "a", "documents": [{"text": "b", "x": NaN}], "return_documents": true}',
        "application/json",
        422,
        "that JSON cannot carry",
    ),
    (b'{"query": "a", "documents": ["a"]}', "text/plain", 415, "Content-Type: application/json"),
    (b"query=a&documents=b", "application/x-www-form-urlencoded", 415, "Content-Type: application/json"),
    (b"<a/>", "application/xml", 415, "Content-Type: application/json"),
]


@pytest.mark.parametrize(("content", "kind", "status", "told"), RAW)
def test_what_is_no_json_is_told_in_a_line(server: Server, content: bytes, kind: str, status: int, told: str) -> None:
    found = httpx.post(server.url + "/v1/rerank", content=content, headers={"Content-Type": kind}, **QUICK)
    one_line(found, status, told)


def test_there_are_forty_kinds_and_the_server_is_as_it_was(server: Server) -> None:
    assert len(BODIES) + len(RAW) >= 40
    assert ask(server, GOOD).status_code == 200
    assert get(server, "/ready").status_code == 200


def test_another_method_is_told_which_are_taken(server: Server) -> None:
    found = get(server, "/v1/rerank")
    one_line(found, 405, "GET is not for '/v1/rerank'")
    assert found.headers["allow"] == "POST"


def test_a_body_without_a_length_is_not_read_to_its_end(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b" " * 1000

    try:
        found = httpx.post(server.url + "/v1/rerank", content=endless(), **QUICK)
    except (httpx.WriteError, httpx.ReadError):  # it was closed while it was sent
        pass
    else:
        one_line(found, 413, "more than 3,000 bytes")
    assert ask(server, GOOD).status_code == 200


def test_a_connection_that_is_cut_in_a_body_harms_no_one(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as cut:
        cut.sendall(b"POST /v1/rerank HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    assert ask(server, GOOD).status_code == 200


def test_a_first_stage_that_is_not_shown_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(rr.RerankError, match="no first stage's order is shown"), running(tmp_path, "first-stage"):
        pass


# --- request ids


@pytest.mark.parametrize("given", ["abc-1", "0af7651916cd43dd8448eb211c80319c", "a:b/c.d_e+f=", "x" * 128])
def test_a_sane_request_id_comes_back(server: Server, given: str) -> None:
    assert ask(server, GOOD, headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", '{"a":1}', "é".encode()])
def test_another_one_is_replaced(server: Server, given: str | bytes) -> None:
    found = ask(server, GOOD, headers={b"X-Request-Id": given}).headers["x-request-id"]
    assert len(found) == 32
    assert found != given


# --- keys


def test_without_a_key_nothing_is_answered_but_whether_the_server_lives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    keys = ["first-secret-key", "second-secret-key"]
    with running(tmp_path, "words", keys=keys) as server:
        for key in keys:
            for scheme in ("Bearer", "bearer"):
                assert ask(server, GOOD, headers={"Authorization": f"{scheme} {key}"}).status_code == 200
        wrong = ["", "Bearer", "Bearer wrong", "Basic first-secret-key", "first-secret-key", f"Bearer {keys[0]}x"]
        wrong += [f"Bearer {keys[0][:-1]}", f"Bearer {' '.join(keys)}"]
        for header in wrong:
            found = ask(server, GOOD, headers={"Authorization": header})
            one_line(found, 401, "Authorization: Bearer KEY")
            assert found.headers["www-authenticate"] == "Bearer"
        for path in ("/v1/models", "/metrics", "/openapi.json", "/info", "/nosuch"):
            assert get(server, path).status_code == 401
        for path in ("/health", "/ready"):
            assert get(server, path).status_code == 200
        told = json.dumps(httpx.get(server.url + "/metrics", headers={"Authorization": f"Bearer {keys[0]}"}).text)
    lines = [JsonLines().format(record) for record in caplog.records if record.name == "rr.serve"]
    assert lines
    assert "secret" not in told + "".join(lines)


def test_keys_are_read_from_a_file_or_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text("\ufeff# ours\none-key\n\n  two-key  \r\n", encoding="utf-8")
    keys = read_keys(file)
    assert [keys.let_in(f"Bearer {key}") for key in ("one-key", "two-key", "# ours", "")] == [True, True, False, False]
    assert "one-key" not in str(vars(keys))
    monkeypatch.setenv("RR_API_KEYS", "a-key, b-key\nc-key")
    keys = read_keys(None)
    assert all(keys.let_in(f"Bearer {key}") for key in ("a-key", "b-key", "c-key"))
    assert "RR_API_KEYS" not in os.environ  # where plugins would see it
    assert not read_keys(None)
    assert not Keys()


@pytest.mark.parametrize(
    ("variable", "file", "told"),
    [
        ("", None, r"\$RR_API_KEYS holds no key, and nobody would be let in"),
        (None, "# none\n", "keys holds no key"),
        ("a", "b", r"--api-key-file and \$RR_API_KEYS both name keys"),
        (None, "good\nfür-uns\n", "key 2 has blanks or characters"),
        (None, "two words\n", "key 1 has blanks"),
    ],
)
def test_keys_that_are_none_are_not_taken_for_an_open_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, file: str | None, told: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("RR_API_KEYS", variable)
    if file is not None:
        (tmp_path / "keys").write_text(file, encoding="utf-8")
    with pytest.raises(rr.RerankError, match=told) as raised:
        read_keys(tmp_path / "keys" if file is not None else None)
    assert "für" not in str(raised.value)


# --- by those who only know the specification

TRIED = """
[checks.positive_data_acceptance]
# the fields that rank_fields names, which a document must have, are nothing that a JSON schema can say
expected-statuses = ["2xx", "401", "404", "422"]
"""


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    (tmp_path / "schemathesis.toml").write_text(TRIED, encoding="utf-8")
    with running(tmp_path, "words", "bm25") as server:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "-n", "4"]
        ended = subprocess.run(
            [*command, "--phases", "coverage,fuzzing", "--seed", "1"],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=240,
        )
        assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-500:]
    assert "8 passed" in ended.stdout, ended.stdout[-3000:]
