"""Scales, engines and number formats against the plain forward pass in float32."""

from __future__ import annotations

import math
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from rr import Document, Query, Request, RerankError
from rr.errors import RegistryError
from rr.files import folder_fingerprint, home
from rr.registry.validation import validated
from rr_cross_encoder.backends import Exported, exported
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import Backend, CrossEncoderSettings
from rr_torch.answers import sigmoid
from tests.plugins.cross_encoder.test_cross_encoder import LONG, Bert, mixed_requests, plain_scores, settings
from tests.plugins.training import values


def installed(backend: str) -> bool:
    engine = {"onnx": "onnxruntime", "openvino": "openvino"}[backend]
    return all(find_spec(name) is not None for name in (engine, "onnxscript"))


def engines() -> list[object]:
    return [
        pytest.param(
            name, marks=pytest.mark.skipif(not installed(name), reason=f"extra {name!r} is not installed"), id=name
        )
        for name in ("onnx", "openvino")
    ]


def request_of(*texts: str) -> Request:
    return Request(Query("q", "where is the lamp"), tuple(Document(str(n), text) for n, text in enumerate(texts)))


def test_a_probability_is_the_sigmoid_of_the_logit_and_ranks_alike(bert: Bert) -> None:
    logits = values(CrossEncoderScorer(settings(bert(1))).score(mixed_requests()))
    scorer = CrossEncoderScorer(settings(bert(1), scale="probability"))
    assert scorer.info.scale == "probability"
    for given, found in zip(logits, values(scorer.score(mixed_requests())), strict=True):
        expected = torch.sigmoid(torch.tensor(given, dtype=torch.float64)).tolist()
        assert list(found) == pytest.approx(expected, rel=1e-12)
        assert sorted(range(len(found)), key=found.__getitem__) == sorted(range(len(given)), key=given.__getitem__)


@pytest.mark.parametrize("logit", [-700.0, -88.0, -20.0, -1e-3, 1e-3, 9.0, 16.0, 20.0])
def test_neighbouring_logits_stay_different_as_probabilities(logit: float) -> None:
    above = float(torch.nextafter(torch.tensor(logit), torch.tensor(math.inf)))
    assert 0 < sigmoid(logit) < sigmoid(above) < 1
    assert sigmoid(-1e6) == 0, "no overflow"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "onnx", "dtype": "bfloat16"}, "backend 'onnx' starts from float32 weights; set dtype: float32"),
        ({"quantization": "int8", "dtype": "bfloat16"}, "quantization 'int8' starts from float32 weights"),
        ({"backend": "openvino", "quantization": "int8"}, "quantization 'int8' goes with backend torch or onnx"),
        ({"backend": "openvino", "trust_remote_code": True}, "set backend: torch"),
        ({"backend": "tensorrt"}, "backend: Input should be 'torch', 'onnx' or 'openvino'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RegistryError) as error:
        validated(CrossEncoderSettings, {"model": "m", **options}, "reranker 'x': settings")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_reference_differs_in_what_approximates_and_in_nothing_else() -> None:
    given = {"model": "m", "max_seq_length": 99, "scale": "probability", "seed": 3}
    approximate = CrossEncoderSettings.model_validate({**given, "backend": "onnx", "quantization": "int8"})
    assert approximate.reference() == CrossEncoderSettings.model_validate({**given, "dtype": "float32"})


def test_int8_is_near_and_depends_on_no_company(bert: Bert) -> None:
    scorer, requests = CrossEncoderScorer(settings(bert(1), quantization="int8")), mixed_requests()
    assert scorer.info.notes == ("int8",)
    assert scorer.info.parameters == CrossEncoderScorer(settings(bert(1))).info.parameters
    together = values(scorer.score(requests))
    for request, answer in zip(requests, together, strict=True):
        assert answer != pytest.approx(plain_scores(bert(1), request), abs=1e-6), "nothing was quantized"
        assert answer == pytest.approx(plain_scores(bert(1), request), abs=0.3)
        for place, document in enumerate(request.candidates):
            alone = scorer.score([Request(request.query, (document,))])
            assert alone[0].values[0] == answer[place]


def test_bfloat16_is_near(bert: Bert) -> None:
    scorer = CrossEncoderScorer(settings(bert(1), dtype="bfloat16"))
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        assert answer.values == pytest.approx(plain_scores(bert(1), request), abs=0.1)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_an_engine_that_is_not_installed_says_how_to_get_it(bert: Bert, backend: str) -> None:
    if installed(backend):
        pytest.skip(f"extra {backend!r} is installed")
    with pytest.raises(RerankError, match=rf"needs .*; pip install 'rerank-registry\[{backend}\]'"):
        CrossEncoderScorer(settings(bert(1), backend=backend))


@pytest.mark.parametrize("backend", engines())
def test_an_export_scores_as_the_model_does_and_leaves_its_folder_alone(bert: Bert, backend: str) -> None:
    folder = bert(1)
    before = folder_fingerprint(folder)
    scorer = CrossEncoderScorer(settings(folder, backend=backend, token_budget=300))
    assert (scorer.info.notes, scorer.info.state) == ((backend,), "pretrained")
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        assert answer.values == pytest.approx(plain_scores(folder, request), abs=1e-5)
    (cut,) = scorer.score([request_of("lamp", LONG)])
    assert cut.diagnostics == {"truncated": 0.5}
    assert folder_fingerprint(folder) == before


@pytest.mark.parametrize("backend", engines())
def test_an_export_is_made_once_for_the_same_weights(bert: Bert, backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert(1), folder)

    def exports() -> set[str]:
        CrossEncoderScorer(settings(folder, backend=backend))
        return {path.name for path in (home() / "exports").iterdir()}

    first = exports()
    assert len(first) == 1
    assert exports() == first
    shutil.copy(bert(1, dropout=False) / "config.json", folder / "config.json")
    assert len(exports()) == 2


@pytest.mark.skipif(not installed("onnx"), reason="extra 'onnx' is not installed")
def test_an_int8_export_is_near(bert: Bert) -> None:
    scorer = CrossEncoderScorer(settings(bert(1), backend="onnx", quantization="int8"))
    assert scorer.info.notes == ("onnx", "int8")
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        assert answer.values != pytest.approx(plain_scores(bert(1), request), abs=1e-6), "nothing was quantized"
        assert answer.values == pytest.approx(plain_scores(bert(1), request), abs=0.3)


@pytest.mark.parametrize("backend", engines())
def test_an_export_that_computes_something_else_is_refused(bert: Bert, backend: Backend) -> None:
    """As it would be if the exporter took for granted what its example happens to have."""
    pairs = PairModel(settings(bert(1)), None)
    texts = ([("a", "b")] * 2, [("c", "d e")] * 3)
    probes = [pairs.tokenizer.pad(pairs.encode(some)[0], return_tensors="pt") for some in texts]
    pairs.model.set_attn_implementation("sdpa")

    class CountsItsExample(torch.nn.Module):
        def forward(self, **inputs: torch.Tensor) -> Any:
            output = pairs.model(**inputs)
            output.logits = output.logits + (2 if torch.compiler.is_exporting() else len(inputs["input_ids"]))
            return output

    with pytest.raises(RerankError, match="the exported model's logits are 1 from torch's; use 'backend: torch'"):
        exported(CountsItsExample(), backend, False, ["another"], probes)
    assert not list((home() / "exports").iterdir())
    assert isinstance(exported(pairs.model, backend, False, ["the same"], probes), Exported)
