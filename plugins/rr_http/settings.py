"""What the scorer can be told. It imports no httpx: settings are checked before anything is loaded."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from rr import Settings
from rr_http.shapes import OWN_FIELDS, SHAPES, Shape, ShapeName

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
SECRET = re.compile(r"(?i)api.?key|^key$|^token$|secret|passw|^sig(nature)?$|authori[sz]ation|credential")


class HttpSettings(Settings):
    # or a key that was pasted in the place of its name would stand in the traceback
    model_config = ConfigDict(hide_input_in_errors=True)

    shape: ShapeName
    """Whose requests and answers they are."""
    url: str
    """Where it answers; of a url without a path, the shape's own is added. Texts are sent there and nowhere else."""
    model: str = ""
    """As the API calls it; text-embeddings-inference serves one, and takes no name."""
    key: str = ""
    """The NAME of the environment variable that holds the API key, never the key itself; "": none is sent."""
    release: str = ""
    """What you know of the release that answers: part of every key, so that scores of another one are never taken for
    it. "": what text-embeddings-inference tells, and nothing of the others."""
    timeout: float = Field(60.0, gt=0)
    """Seconds that a call may take once it is connected, and that connecting may take."""
    concurrency: int = Field(4, ge=1, le=256)
    """Calls that are under way at once."""
    retries: int = Field(5, ge=0)
    """How often a call is repeated after 429, 408, 5xx, a timeout or a lost connection."""
    longest_wait: float = Field(60.0, ge=0)
    """Seconds between two tries at most, whatever Retry-After says."""
    max_documents: int | None = Field(None, ge=1)
    """Documents a call may have: more are asked in several calls, or in windows where the model is listwise. null:
    1,000, and 32 of text-embeddings-inference."""
    max_characters: int | None = Field(None, ge=1)
    """Characters a document is cut to before it is sent; the diagnostic `truncated` counts those that were. null: all
    are sent."""
    truncation: bool = True
    """Whether the API cuts texts that are too long, of which it does not tell; false: it refuses them, as only voyage
    and tei can be told to."""
    listwise: bool = False
    """Whether the model looks at all documents of a call together (jina-reranker-v3): they are never split then."""
    raw_scores: bool = False
    """Of tei: logits in the place of probabilities."""
    scale: Literal["logit", "probability", "cosine", "rank"] | None = None
    """What a score means. null: a probability; of tei with raw_scores, a logit. jina-reranker-v3 gives cosines."""
    precision: Literal["float32", "float16", "bfloat16"] = "float16"
    """The number format that it computes in, by which its answers to one question may differ."""
    body: dict[str, bool | int | float | str] = Field({})
    """Further fields of each request, as `max_tokens_per_doc: 4096` of cohere-v2."""

    @field_validator("key")
    @classmethod
    def _name_of_a_key(cls, value: str) -> str:
        if value and not NAME.fullmatch(value):
            raise ValueError(
                "it must be the NAME of an environment variable, in capitals, as COHERE_API_KEY; never the key itself"
            )
        return value

    @field_validator("url")
    @classmethod
    def _whole_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or any(c.isspace() or ord(c) < 32 for c in value):
            raise ValueError("it must be a whole url, as https://api.cohere.com/v2/rerank")
        if parts.username is not None or any(SECRET.search(name) for name, _ in parse_qsl(parts.query, True)):
            raise ValueError("it must hold no password or key; name the environment variable that does as 'key'")
        if parts.fragment:
            raise ValueError("leave out what follows the #: it is sent nowhere")
        return value

    @field_validator("body")
    @classmethod
    def _fields_of_no_one_else(cls, value: dict[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
        taken = sorted(OWN_FIELDS & value.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)}: another setting decides it, or it is always all documents")
        if any(SECRET.search(name) for name in value):
            raise ValueError("it must hold no password or key; name the environment variable that does as 'key'")
        return value

    @model_validator(mode="after")
    def _fits_the_shape(self) -> HttpSettings:
        if self.shape == "tei" and self.model:
            raise ValueError("tei serves one model and takes no name of one; leave out model, or set release")
        if self.shape != "tei" and not self.model:
            raise ValueError(f"shape {self.shape} needs a model; name it as the API does")
        if self.raw_scores and self.shape != "tei":
            raise ValueError("raw_scores: only tei has them")
        if not self.truncation and self.form.truncation is None:
            raise ValueError(f"truncation: {self.shape} always cuts; leave it out, or set max_characters")
        return self

    @property
    def form(self) -> Shape:
        return SHAPES[self.shape]

    @property
    def endpoint(self) -> str:
        """The url that is asked."""
        parts = urlsplit(self.url)
        return parts._replace(path=self.form.path).geturl() if parts.path in ("", "/") else self.url

    @property
    def host(self) -> str:
        """Of the url, with its port: what an error names."""
        return urlsplit(self.url).netloc

    @property
    def at_once(self) -> int:
        """Documents a call may have."""
        return self.max_documents or self.form.at_once

    def version(self) -> str:
        """What answers. Of text-embeddings-inference the model and its revision, which it is asked for.

        Raises:
            RerankError: it does not answer.
        """
        if self.release or self.shape != "tei":
            return self.release
        from rr_http.client import Client

        return Client(self).served()
