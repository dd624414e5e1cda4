"""What a cross-encoder's folder tells, and is told by, sentence-transformers' CrossEncoder."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rr_torch import weights_folder

CONFIG, MODULES, TRANSFORMER = "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"
KIND = "CrossEncoder"


def own_prompt(model: str) -> str:
    """What the folder of a CrossEncoder has it put before every query; empty: nothing."""
    folder = weights_folder(model)
    if folder is None or not (folder / CONFIG).is_file():
        return ""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if config.get("model_type") != KIND:  # a bi-encoder's prompts are for single texts
        return ""
    return (config.get("prompts") or {}).get(config.get("default_prompt_name")) or ""


def save_as_cross_encoder(tokenizer: Any, prompt: str, max_seq_length: int, folder: Path) -> None:
    """Saves the tokenizer beside a saved model, so that `CrossEncoder(folder)` cuts the same pairs at the same place:
    at `max_seq_length` tokens, from the document alone."""
    tokenizer.model_max_length = max_seq_length
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:  # a fixed length of the base model's own (MiniLM's: 128) is no part of this one
        backend.no_truncation()
        backend.no_padding()
    for name in ("max_length", "truncation_strategy", "stride", "pad_to_multiple_of"):
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(folder)
    text = {"method": "forward", "method_output_name": "logits"}
    _write(
        folder / TRANSFORMER,
        {
            "transformer_task": "sequence-classification",
            "modality_config": {"text": text},
            "module_output_name": "scores",
            "processing_kwargs": {"text": {"truncation": "only_second"}},
        },
    )
    transformer = "sentence_transformers.base.modules.transformer.Transformer"
    _write(folder / MODULES, [{"idx": 0, "name": "0", "path": "", "type": transformer}])
    _write(
        folder / CONFIG,
        {
            "__version__": {"sentence_transformers": version("sentence-transformers")},
            "model_type": KIND,
            "activation_fn": "torch.nn.modules.activation.Sigmoid",
            "prompts": {"query": prompt} if prompt else {},
            "default_prompt_name": "query" if prompt else None,
        },
    )


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
