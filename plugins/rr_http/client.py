"""One call of the API, repeated where that may help. The key is read from the environment while a request is made, and
stands in nothing that is shown or kept."""

from __future__ import annotations

import json
import math
import os
import random
import ssl
import time
import weakref
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
)

from rr import RerankError, ScoringError
from rr_http.settings import HttpSettings
from rr_http.shapes import Answer, UnreadableError, read

LARGEST = 64 * 2**20
"""Bytes of an answer: scores of a thousand documents are a thousandth of it."""
FIRST_WAIT = 0.5
"""Seconds before the second try where the API names none; twice as many before each further one."""
MENDS = {
    400: "see docs/adapters/http.md for what this API takes",
    402: "the account has to be paid for",
    404: "correct url or model",
    405: "correct url or shape",
    413: "lower max_documents, or set max_characters",
    422: "correct shape or model, lower max_documents, or set max_characters",
}


class _AgainError(Exception):
    """A try failed that may be repeated, after so many seconds if the API says so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class _Bearer(httpx.Auth):
    """Puts the key on a request as it leaves, so that no client, setting or frame of ours holds it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._name:
            request.headers["Authorization"] = f"Bearer {key_in(self._name)}"
        yield request


def key_in(name: str) -> str:
    """The API key that the environment variable holds.

    Raises:
        RerankError: it holds none, or one that no header can carry. The line does not show it.
    """
    key = os.environ.get(name, "").strip()
    if not key:
        raise RerankError(f"settings.key names the environment variable {name}, which is not set; export {name}=…")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise RerankError(
            f"what the environment variable {name} holds is no API key: it has blanks or other characters"
        )
    return key


class Client:
    """Asks the url of the settings, and nothing else: a redirect is not followed. Used by several threads.

    Raises:
        RerankError: the environment has no key where the settings name one.
    """

    def __init__(self, settings: HttpSettings) -> None:
        if settings.key:
            key_in(settings.key)
        self._settings = settings
        self._random = random.Random()  # not the program's own, whose state is not ours to change
        self._http = httpx.Client(
            auth=_Bearer(settings.key),
            timeout=settings.timeout,
            follow_redirects=False,
            # a proxy of the environment sees nothing of https but the host; of http it would see the texts
            trust_env=urlsplit(settings.url).scheme == "https",
            headers={"User-Agent": "rerank-registry", "Accept": "application/json", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency),
        )
        weakref.finalize(self, self._http.close)

    def ask(self, body: Mapping[str, Any], count: int, stopped: Event) -> Answer:
        """The answer about `count` documents. `stopped`: once it is set, nothing is repeated.

        Raises:
            ScoringError: there is none. One line says which host, what it answered, and what to do.
        """
        content = json.dumps(body, ensure_ascii=False).encode()
        response, found, tries = self._repeated("POST", self._settings.endpoint, content, stopped)
        self._checked(response, found)
        try:
            answer = read(self._settings.form, found, response.headers.get("x-compute-tokens"), count)
        except UnreadableError as error:
            kind = self._line(response.headers.get("content-type", "no content type"))
            raise self._error(response, f"{error} ({kind}, {len(found)} bytes); check url and shape") from None
        model = None if answer.model is None else self._line(answer.model)
        return replace(answer, model=model, retries=tries - 1)

    def served(self) -> str:
        """What text-embeddings-inference says that it serves; "" where it does not say.

        Raises:
            ScoringError: it does not answer.
        """
        parts = urlsplit(self._settings.endpoint)
        url = parts._replace(path=f"{parts.path.rpartition('/')[0]}/info").geturl()
        response, content, _ = self._repeated("GET", url, None, Event())
        try:
            told = json.loads(content) if response.status_code == 200 else {}
        except (ValueError, RecursionError):
            return ""
        names = ("model_id", "model_sha", "model_dtype", "version", "sha")
        served = [f"{name}={told[name]}" for name in names if told.get(name)] if isinstance(told, dict) else []
        return self._line(" ".join(served))

    def _repeated(
        self, method: str, url: str, content: bytes | None, stopped: Event
    ) -> tuple[httpx.Response, bytes, int]:
        """The response, what it holds, and how many tries it took."""
        settings = self._settings
        retrying = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_after_attempt(settings.retries + 1) | stop_when_event_set(stopped),
            wait=self._wait,
            sleep=sleep_using_event(stopped),
            reraise=True,
        )
        try:
            response, found = retrying(self._once, method, url, content, stopped)
        except _AgainError as error:
            tries = retrying.statistics["attempt_number"]
            times = "1 try" if tries == 1 else f"{tries} tries"
            mend = "what was answered before is kept: repeat it later, lower concurrency or raise retries and timeout"
            raise ScoringError(f"{settings.host}: {error}, after {times}; {mend}") from None
        return response, found, retrying.statistics["attempt_number"]

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _AgainError) and error.after is not None:
            return min(max(error.after, 0.0), self._settings.longest_wait)
        doubled = FIRST_WAIT * 2.0 ** min(state.attempt_number - 1, 30)
        return min(doubled, self._settings.longest_wait) * self._random.uniform(0.5, 1.0)

    def _once(self, method: str, url: str, content: bytes | None, stopped: Event) -> tuple[httpx.Response, bytes]:
        if stopped.is_set():  # while it waited
            raise _AgainError("it was not asked again")
        started, limit = time.monotonic(), self._settings.timeout
        try:
            with self._http.stream(method, url, content=content, headers={"Content-Type": "application/json"}) as found:
                data = bytearray()
                for part in found.iter_bytes():
                    data += part
                    if len(data) > LARGEST:
                        raise self._error(found, f"more than {LARGEST // 2**20} MiB; check url and shape")
                    if time.monotonic() - started > limit:
                        raise _AgainError(f"no whole answer within {limit:g} s")
        except httpx.TimeoutException:
            raise _AgainError(f"no answer within {limit:g} s") from None
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            if _certificate(error):
                raise self._error(None, f"{self._line(str(error))}; set SSL_CERT_FILE to what is trusted") from None
            raise _AgainError(self._line(str(error)) or "the connection broke") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(None, f"{self._line(str(error))}; check url") from None
        status = found.status_code
        if status in (408, 429) or status >= 500:
            told = f"status {status}{self._message(bytes(data))}"
            raise _AgainError(told, _seconds(found.headers.get("retry-after")))
        return found, bytes(data)

    def _checked(self, response: httpx.Response, content: bytes) -> None:
        """
        Raises:
            ScoringError: its status is not 200.
        """
        status = response.status_code
        if status == 200:
            return
        said = self._message(content)
        if 300 <= status < 400:
            elsewhere = self._elsewhere(response)
            raise self._error(response, f"it sends to {elsewhere}, where nothing was sent; set url to what answers")
        if status in (401, 403):
            name = self._settings.key
            mend = f"it refuses the key in {name}; export {name}=…" if name else "set key to the NAME of a variable"
            raise self._error(response, f"{mend}{said}")
        raise self._error(response, f"{MENDS.get(status, 'check url, shape and model')}{said}")

    def _elsewhere(self, response: httpx.Response) -> str:
        """Where a redirect leads: the host, for a path may hold anything."""
        try:
            host = urlsplit(response.headers.get("location", "")).hostname
        except ValueError:
            host = None
        return self._line(host or "") or "another path"

    def _message(self, content: bytes) -> str:
        """What an answer that is an error says of it."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        told = found if isinstance(found, Mapping) else {}
        said = next((told[name] for name in ("message", "detail", "error") if isinstance(told.get(name), str)), None)
        if said is None:
            nested = next((told[name] for name in ("error", "detail") if told.get(name)), None)
            said = json.dumps(nested) if nested else content.decode(errors="replace")
        line = self._line(said)
        return f" ({line})" if line else ""

    def _error(self, response: httpx.Response | None, what: str) -> ScoringError:
        status = f"status {response.status_code}: " if response is not None else ""
        return ScoringError(f"{self._settings.host}: {status}{what}")

    def _line(self, text: str) -> str:
        """One line of at most 200 characters that a terminal can show, without the key, which an answer may repeat."""
        shown = "".join(character if character.isprintable() else " " for character in text[:100_000])
        line = " ".join(shown.split())
        key = os.environ.get(self._settings.key, "").strip() if self._settings.key else ""
        line = line.replace(key, "[key]") if key else line
        return line if len(line) <= 200 else f"{line[:200]} …"


def _seconds(value: str | None) -> float | None:
    """What Retry-After says: seconds, or a date (RFC 9110, 10.2.3). None where it says neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def _certificate(error: BaseException | None) -> bool:
    """Whether the host's certificate is why: that does not mend itself."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
