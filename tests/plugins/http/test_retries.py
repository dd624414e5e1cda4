"""What is asked again, when, and how often; and what is told of it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from rr import RerankError, ScoringError
from rr_http.client import _seconds
from tests.plugins.http.api import (
    KEY,
    Api,
    Handler,
    Step,
    answer,
    closes,
    half,
    resets,
    score,
    serving,
    slow,
    status,
    trickles,
)
from tests.plugins.http.test_shapes import asked, requests, scorer

PASSING: dict[str, Step] = {
    "429": status(429),
    "429 with seconds": status(429, Retry_After="0"),
    "429 with a date": status(429, Retry_After=format_datetime(datetime.now(UTC), usegmt=True)),
    "429 for a year": status(429, Retry_After="31536000"),
    "429 with rubbish": status(429, Retry_After="soon"),
    "408": status(408),
    "500": status(500, b"<html>oops</html>"),
    "502": status(502, b""),
    "503": status(503, {"error": "overloaded", "error_type": "overloaded"}),
    "529": status(529),
    "nothing": closes,
    "a reset": resets,
    "half an answer": half,
}


@pytest.mark.parametrize("step", PASSING)
def test_what_may_pass_is_asked_again(api: Api, step: str) -> None:
    api.script.extend([PASSING[step]] * 2)
    (found,) = asked(api)
    (request,) = requests()
    assert found.values == pytest.approx([score(request.query.text, one.content) for one in request.candidates])
    assert found.diagnostics["retries"] == 2
    assert found.diagnostics["requests"] == 1
    assert len(api.seen) == 3


@pytest.mark.parametrize("step", PASSING)
def test_what_does_not_pass_is_told_in_one_line(cohere: Api, step: str) -> None:
    cohere.always = PASSING[step]
    with pytest.raises(ScoringError, match=r"query 'q0': 127\.0\.0\.1:\d+: .*after 3 tries; what was answered") as told:
        asked(cohere, retries=2)
    assert "\n" not in str(told.value)
    assert len(cohere.seen) == 3
    if step[0].isdigit():
        assert f"status {step[:3]}" in str(told.value)


def test_retry_after_is_honoured(cohere: Api) -> None:
    cohere.script.append(status(429, Retry_After="0.4"))
    started = time.monotonic()
    asked(cohere, longest_wait=5)
    assert 0.4 <= time.monotonic() - started < 2
    cohere.script.append(
        status(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True))
    )
    started = time.monotonic()
    asked(cohere, longest_wait=5, release="2")
    assert 0.8 <= time.monotonic() - started < 4  # a date has whole seconds


def test_retry_after_is_bounded(cohere: Api) -> None:
    cohere.script.append(status(429, Retry_After="3600"))
    started = time.monotonic()
    asked(cohere, longest_wait=0.2)
    assert 0.2 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("7", 7.0), ("-3", -3.0), ("nan", None), ("inf", None), ("1e999", None), ("", None), ("Mon", None)],
)
def test_what_retry_after_says(value: str | None, seconds: float | None) -> None:
    assert _seconds(value) == seconds


def test_a_date_is_read_with_its_zone() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert _seconds(format_datetime(later, usegmt=True)) == pytest.approx(90, abs=2)
    assert _seconds("Thu, 01 Jan 1970 00:00:00 GMT") < -1e9  # type: ignore[operator]


@pytest.mark.parametrize("step", [slow(3.0), trickles], ids=["slow", "trickles"])
def test_a_call_ends_in_time(cohere: Api, step: Step) -> None:
    cohere.always = step
    started = time.monotonic()
    with pytest.raises(ScoringError, match=r"answer within 0\.3 s, after 1 try"):
        asked(cohere, timeout=0.3, retries=0)
    assert time.monotonic() - started < 2


def test_a_slow_answer_is_asked_for_again(cohere: Api) -> None:
    cohere.script.append(slow(1.0))
    assert asked(cohere, timeout=0.3)[0].diagnostics["retries"] == 1


def test_nobody_there() -> None:
    with serving("cohere-v2") as api:
        pass
    with pytest.raises(ScoringError, match=r"127\.0\.0\.1:\d+: .*refused, after 2 tries"):
        asked(api, retries=1)


FINAL = {
    400: "status 400: see docs/adapters/http.md for what this API takes (no)",
    401: "status 401: it refuses the key in COHERE_API_KEY; export COHERE_API_KEY=… (no)",
    402: "status 402: the account has to be paid for (no)",
    403: "status 403: it refuses the key in COHERE_API_KEY",
    404: "status 404: correct url or model (no)",
    413: "status 413: lower max_documents, or set max_characters (no)",
    418: "status 418: check url, shape and model (no)",
    422: "status 422: correct shape or model, lower max_documents, or set max_characters (no)",
}


@pytest.mark.parametrize("number", FINAL)
def test_what_cannot_pass_is_asked_once_and_says_the_mend(
    cohere: Api, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    cohere.always = status(number)
    with pytest.raises(ScoringError) as told:
        asked(cohere, key="COHERE_API_KEY")
    assert FINAL[number] in str(told.value)
    assert len(cohere.seen) == 1


def test_an_api_that_wants_a_key_and_is_given_none_says_how(cohere: Api) -> None:
    cohere.always = status(401)
    with pytest.raises(ScoringError, match="status 401: set key to the NAME of a variable"):
        asked(cohere)


@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
def test_texts_go_nowhere_else(cohere: Api, number: int) -> None:
    with serving("cohere-v2") as other:
        cohere.always = status(number, Location=f"{other.url}/v2/rerank")
        with pytest.raises(ScoringError, match=f"status {number}: it sends to 127.0.0.1, where nothing was sent"):
            asked(cohere)
        assert not other.seen
        assert not other.gets


def test_a_proxy_does_not_read_the_texts(cohere: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("cohere-v2") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        asked(cohere)
        assert not proxy.seen
    assert len(cohere.seen) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"message": "line\none\x1b[31m"},
        {"detail": [{"loc": ["body"], "msg": "line one"}]},
        {"error": {"message": "line one"}},
        {"error": "line one", "error_type": "validation"},
        b"line one",
        b"\xff\xfe line one",
    ],
)
def test_what_the_api_says_is_shown_on_one_harmless_line(cohere: Api, said: Any) -> None:
    cohere.always = status(422, said)
    with pytest.raises(ScoringError, match="line one") as told:
        asked(cohere)
    assert str(told.value).isprintable()


def test_a_long_message_is_cut(cohere: Api) -> None:
    cohere.always = status(422, b"x" * 10**6)
    with pytest.raises(ScoringError) as told:
        asked(cohere)
    assert len(str(told.value)) < 500


# --- several at once


def test_several_calls_are_under_way_at_once(api: Api) -> None:
    api.seconds = 0.1
    spent = {}
    for concurrency in (1, 8):
        one = scorer(api, concurrency=concurrency, release=str(concurrency))
        started = time.monotonic()
        found = one.score(requests(8))
        spent[concurrency] = time.monotonic() - started
        for request, scores in zip(requests(8), found, strict=True):
            expected = [score(request.query.text, document.content) for document in request.candidates]
            assert scores.values == pytest.approx(expected), "in the order of the requests"
    assert spent[1] > 0.8
    assert spent[8] < spent[1] / 2
    assert api.busiest <= 8


def test_answers_that_come_in_another_order_are_put_right(cohere: Api) -> None:
    def slow_first(handler: Handler, body: Mapping[str, Any]) -> None:
        time.sleep(0.3 if body["query"].endswith("number 0") else 0)
        answer(handler, body)

    cohere.always = slow_first
    found = asked(cohere, 6, concurrency=3)
    for request, scores in zip(requests(6), found, strict=True):
        assert scores.values == pytest.approx([score(request.query.text, one.content) for one in request.candidates])


def test_no_more_are_under_way_than_the_settings_say(cohere: Api) -> None:
    cohere.seconds = 0.02
    asked(cohere, 12, concurrency=3)
    assert 1 < cohere.busiest <= 3


def test_where_one_fails_for_good_the_others_are_not_asked(cohere: Api) -> None:
    cohere.always = status(404)
    with pytest.raises(ScoringError):
        asked(cohere, 50, concurrency=2)
    assert len(cohere.seen) <= 3


def test_the_programs_own_random_numbers_are_left_alone(cohere: Api) -> None:
    state = random.getstate()
    cohere.script.extend([status(500)] * 3)
    asked(cohere)
    assert random.getstate() == state


def test_a_key_that_is_not_there_is_told_before_anything_is_asked(cohere: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    with pytest.raises(RerankError, match=r"COHERE_API_KEY, which is not set; export COHERE_API_KEY="):
        scorer(cohere, key="COHERE_API_KEY")
    assert not cohere.seen
