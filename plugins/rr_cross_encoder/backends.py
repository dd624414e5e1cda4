"""What computes a cross-encoder's logits on a CPU in place of the torch model: its export, run by onnxruntime or
OpenVINO, or its linear layers in int8.

The export is torch's own. sentence-transformers' `backend=` goes through optimum, no release of which can be installed
beside transformers 5 (optimum-onnx 0.1.0 asks for < 4.58, optimum-intel 2.2.0 for < 5.6).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput

from rr import RerankError
from rr.files import fingerprint, folder_fingerprint, home, is_sealed, sealed_folder
from rr_cross_encoder.settings import ENGINES, Backend

Inputs = Mapping[str, Tensor]
"""A padded batch: each (pairs, tokens)."""
Arrays = Mapping[str, NDArray[np.int64]]
Run = Callable[[Arrays], NDArray[np.float32]]
"""A padded batch in, logits of shape (pairs, 1) out."""

FILE = "model.onnx"
TOLERANCE = 1e-3
"""An export whose logits are further from the model's than this is another model."""


def int8(model: torch.nn.Module) -> torch.nn.Module:
    """The model with its linear layers in int8: weights with a scale for each output, activations with one scale a
    call, so that pairs must be scored one by one or they would change each other's scores."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch means to move this to torchao one day
        return quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-any-return, no-untyped-call]


class Exported:
    """An exported model, called as the one that it was exported from."""

    def __init__(self, backend: Backend, file: Path) -> None:
        self._run = _onnxruntime(file) if backend == "onnx" else _openvino(file)

    def __call__(self, **inputs: Tensor) -> SequenceClassifierOutput:
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        return SequenceClassifierOutput(logits=torch.from_numpy(self._run(arrays)))


def exported(
    model: Any, backend: Backend, quantized: bool, key: Sequence[object], probes: Sequence[Inputs]
) -> Exported:
    """The model's export, from `$RR_HOME/exports` where it is there, else made now.

    Args:
        key: what the model's weights depend on.
        probes: two batches of different shapes, each of several pairs. The export is made from the first one, and
            compared with the model on both, since an export can take the shape of its example for granted.

    Raises:
        RerankError: a package is missing, or the export does not compute what the model does.
    """
    missing = [name for name in (ENGINES[backend], "onnxscript") if find_spec(name) is None]
    if missing:
        raise RerankError(
            f"backend {backend!r} needs {' and '.join(missing)}; pip install 'rerank-registry[{backend}]'"
        )
    versions = [version(name) for name in ("torch", "transformers", "onnxscript")]
    name = fingerprint([*key, backend, quantized, versions, folder_fingerprint(Path(__file__).parent)])
    folder = home() / "exports" / name[:16]
    if not is_sealed(folder, name):
        with sealed_folder(folder, name) as work, _silent():
            _export(model, probes[0], work / FILE)
            _check(model, Exported(backend, work / FILE), probes)
            if quantized:
                _quantize(work)
    return Exported(backend, folder / FILE)


class _Logits(torch.nn.Module):
    """The model with its inputs by position and nothing but logits as output, as an exporter wants it."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(**dict(zip(self.names, inputs, strict=True))).logits  # type: ignore[no-any-return]


def _export(model: Any, example: Inputs, file: Path) -> None:
    names = list(example)
    any_size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        torch.onnx.export(
            _Logits(model, names).eval(),
            tuple(example.values()),
            file,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes=(tuple(any_size for _ in names),),
            dynamo=True,  # the older exporter gets padded batches wrong, and says nothing
            verbose=False,
        )


@torch.inference_mode()
def _check(model: Any, found: Exported, probes: Sequence[Inputs]) -> None:
    for batch in probes:
        distance = float((found(**batch).logits - model(**batch).logits).abs().max())
        if not distance <= TOLERANCE:
            raise RerankError(f"the exported model's logits are {distance:.2g} from torch's; use 'backend: torch'")


def _quantize(folder: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = folder / FILE
    quantized = folder / "int8.onnx"
    graph = onnx.load(whole)
    del graph.graph.value_info[:]  # the exporter's shapes, which the quantizer's own inference stumbles over
    # 7 bits where the CPU would add two 8-bit products in 16 bits and saturate
    quantize_dynamic(graph, quantized, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    for file in folder.glob(f"{FILE}*"):
        file.unlink()
    quantized.rename(whole)


def _onnxruntime(file: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda arrays: session.run(["logits"], arrays)[0]


def _openvino(file: Path) -> Run:
    import openvino

    # left to itself it computes in bfloat16 on CPUs that can
    asked = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(str(file), "CPU", asked)
    return lambda arrays: compiled(dict(arrays))[0].copy()


@contextmanager
def _silent() -> Iterator[None]:
    """Without what exporters and quantizers say about each other."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
