"""BGE-M3 through FlagEmbedding's BGEM3FlagModel: frozen, on our device, and loud about what that passes over."""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from pickle import UnpicklingError
from typing import Any, Literal

from FlagEmbedding import BGEM3FlagModel

from rr.errors import RerankError
from rr_torch.device import pick_device
from rr_torch.loading import check_length, check_safetensors, quiet, whole_folder
from rr_torch.settings import TextModelSettings
from rr_torch.source import fetching, model_path
from rr_torch.trust import runs_code

HEADS = ("sparse_linear.pt", "colbert_linear.pt")
"""Linear layers on the tokens' states. FlagEmbedding reads them as tensors only (docs/decisions/0006)."""
Output = Literal["dense_vecs", "lexical_weights", "colbert_vecs"]


class BgeM3:
    """`flag`: the BGEM3FlagModel. It must live as long as its parts: when it goes, it moves them to the CPU."""

    def __init__(self, settings: TextModelSettings, pooling: Literal["cls", "mean"], heads: bool = False) -> None:
        """
        Args:
            pooling: of the dense vectors.
            heads: whether lexical weights or ColBERT vectors will be asked for.

        Raises:
            RerankError: weights are missing, a file holds more than tensors, or the model cannot read so much.
        """
        self._settings = settings
        device = pick_device()
        source = model_path(settings.model, settings.sha256)
        check_safetensors(source)
        try:
            with quiet(), fetching(source):
                self.flag: Any = BGEM3FlagModel(
                    source,
                    use_fp16=False,
                    devices=str(device),
                    pooling_method=pooling,
                    trust_remote_code=runs_code(settings.trust_remote_code, source),
                )
        except UnpicklingError as error:
            raise RerankError(
                f"model {settings.model!r}: {' or '.join(HEADS)} holds more than tensors; get a whole copy of it"
            ) from error
        folder = whole_folder(settings.model, [self.module])
        missing = [name for name in HEADS if not (folder / name).is_file()]
        if heads and missing:  # FlagEmbedding draws both at random if one is missing, and says nothing
            raise RerankError(f"model {settings.model!r} has no {missing[0]}; get a whole copy of BGE-M3")
        self.flag.tokenizer.padding_side = "right"  # it takes each row's first token for its CLS
        # its encode takes every RuntimeError for a lack of memory
        check_length(self.module, settings.max_seq_length, self.flag.tokenizer)
        self.flag.model.to(device).requires_grad_(False).eval()

    @property
    def module(self) -> Any:
        """The transformer alone."""
        return self.flag.model.model

    def encode(self, texts: list[str], output: Output) -> Any:
        """Dense vectors: float32, shape (texts, d), normalised. Lexical weights: token id → weight, for each text.
        ColBERT vectors: float32, shape (tokens without the first one, d), normalised, for each text."""
        with redirect_stderr(StringIO()):  # it draws progress bars, and has no switch for them
            outputs = self.flag.encode(
                texts,
                batch_size=self._settings.batch_size,
                max_length=self._settings.max_seq_length,
                return_dense=output == "dense_vecs",
                return_sparse=output == "lexical_weights",
                return_colbert_vecs=output == "colbert_vecs",
            )
        return outputs[output]

    def too_long(self, texts: list[str]) -> list[bool]:
        """Which texts `encode` cuts."""
        # padding and truncation are given at every call: a tokenizer file may carry fixed ones
        rows = self.flag.tokenizer(texts, padding=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) > self._settings.max_seq_length for row in rows]
