"""The API key is in the header of the requests, and nowhere else."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rr import RerankError, ScoringError
from rr.files import home
from rr.registry.validation import validated
from rr_http.settings import HttpSettings
from tests.conftest import Rr
from tests.plugins.http.api import KEY, SERVED, Api, Handler, closes, right, serving, status
from tests.plugins.http.test_kept import bench_of
from tests.plugins.http.test_shapes import asked, requests, scorer

NAME = "SOME_API_KEY"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, KEY)


def everything_below(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_it_is_sent(api: Api) -> None:
    asked(api, key=NAME)
    assert {headers["Authorization"] for headers in api.headers} == {f"Bearer {KEY}"}


def test_none_is_sent_where_none_is_named(api: Api) -> None:
    asked(api)
    assert not any("Authorization" in headers for headers in api.headers)


def test_one_that_changes_is_sent_as_it_is_then(cohere: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    one = scorer(cohere, key=NAME)
    monkeypatch.setenv(NAME, " another \n")
    asked_of = requests()
    one.score(asked_of)
    assert cohere.headers[0]["Authorization"] == "Bearer another"


@pytest.mark.parametrize("held", ["", "  ", "a b", "sk-ключ", "sk\n123", "sk\x01"])
def test_what_is_no_key_is_told_without_it(cohere: Api, held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, held)
    with pytest.raises(RerankError, match=NAME) as told:
        scorer(cohere, key=NAME)
    assert not held.strip() or held not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("pasted", [KEY, "jina_0123456789abcdef", "Ab0123456789Cd0123456789", "pa-0123", "hf_abc"])
def test_a_key_in_the_place_of_its_name_is_refused_and_not_repeated(cohere: Api, pasted: str) -> None:
    with pytest.raises(RerankError, match="key: it must be the NAME of an environment variable") as told:
        validated(HttpSettings, cohere.settings(key=pasted), "settings")
    assert pasted not in "".join(traceback.format_exception(told.value))


def echoes(number: int) -> Any:
    """What it was sent as a key, everywhere."""

    def step(handler: Handler, body: Mapping[str, Any]) -> None:
        sent = handler.headers["Authorization"]
        told = {**right("voyage", body), "model": sent, "message": f"invalid {sent}"}
        handler.give(number, told if number < 400 else {"message": f"invalid {sent}"}, Location=f"http://{KEY}/x")

    return step


@pytest.mark.parametrize("number", [200, 307, 400, 401, 403, 422, 429, 500])
def test_an_api_that_repeats_it_is_not_repeated(number: int) -> None:
    with serving("voyage") as api:
        api.always = echoes(number)
        one = scorer(api, key=NAME, retries=1)
        asked_of = requests()
        if number == 200:
            one.score(asked_of)
            assert "it says that Bearer [key] answers" in " ".join(one.info.notes)
        else:
            with pytest.raises(ScoringError) as told:
                one.score(asked_of)
            shown = "".join(traceback.format_exception(told.value))
            assert KEY not in shown
            assert KEY[:12] not in shown
        assert KEY not in repr(one.info)
        assert KEY.encode() not in everything_below(home())


def test_one_that_ends_where_the_line_is_cut_is_not_shown_in_part(cohere: Api) -> None:
    for before in (150, 175, 190, 199):
        cohere.always = status(422, ("x" * before + KEY).encode())
        with pytest.raises(ScoringError) as told:
            asked(cohere, key=NAME)
        assert KEY[:4] not in str(told.value)


def test_one_that_tei_repeats_is_in_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("tei") as api:
        monkeypatch.setitem(SERVED, "model_id", KEY)
        assert KEY not in validated(HttpSettings, api.settings(key=NAME), "settings").version()


def test_it_is_in_no_object_that_is_shown(cohere: Api) -> None:
    one = scorer(cohere, key=NAME)
    settings = validated(HttpSettings, cohere.settings(key=NAME), "settings")
    assert KEY not in repr(vars(one)) + repr(settings) + settings.model_dump_json() + repr(vars(one._client))


@pytest.mark.parametrize("fails", [None, 401, 500, "closes"])
def test_it_is_in_no_output_log_or_file(
    fails: Any, small_registry: Path, cohere: Api, rr_command: Rr, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registry = bench_of(small_registry, cohere, key=NAME)
    if fails == "closes":
        cohere.always = closes
    elif fails is not None:
        cohere.always = status(fails, {"message": f"Bearer {KEY} is wrong"})
    commands = [
        ("bench", "remote", "--registry", registry, "--out", tmp_path / "out"),
        ("info", "remote", "--registry", registry),
        ("info", "remote", "--registry", registry, "--json"),
        ("list", "--registry", registry, "-v"),
        ("doctor", "remote", "--registry", registry),
        ("runs",),
    ]
    shown = ""
    for command in commands:
        ended = rr_command(*command)
        shown += ended.stdout + ended.stderr
    assert cohere.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "remote" in shown
    for text in (shown, caplog.text):
        assert KEY not in text
        assert "Very_Secret" not in text
    written = everything_below(tmp_path)
    assert b"remote" in written
    assert KEY.encode() not in written
    assert b"Very_Secret" not in written


def test_a_traceback_that_is_asked_for_has_it_not(
    small_registry: Path, cohere: Api, rr_command: Rr, tmp_path: Path
) -> None:
    cohere.always = status(401, {"message": f"Bearer {KEY} is wrong"})
    registry = bench_of(small_registry, cohere, key=NAME)
    ended = rr_command("bench", "remote", "--registry", registry, RR_STRICT="1")
    assert ended.returncode != 0
    assert "401" in ended.stderr
    assert KEY not in ended.stdout + ended.stderr
