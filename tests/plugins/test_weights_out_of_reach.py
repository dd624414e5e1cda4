"""Weights that cannot be had: whatever loads them, the line names the model, the entry it is for, and the mend."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import rr
from rr.errors import PluginError, RerankError
from rr.registry.plugins import installed_plugins
from rr_bench.keys import reranker_key
from rr_bench.loading import load_reranker
from rr_bench.resolve import Resolved, resolve
from rr_bench.schema import RerankerEntry
from rr_torch import fetching

NOBODYS = "nobody-of-ours/no-such-model"
OFFLINE = (
    f"FileNotFoundError: model '{NOBODYS}' is no folder, the hub's cache does not hold all of it, and HF_HUB_OFFLINE "
    "keeps it from being asked; name a local folder, or unset HF_HUB_OFFLINE"
)
LOADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "cross_encoder": ("cross_encoder", {}),
    "cross_encoder, onnx": ("cross_encoder", {"backend": "onnx"}),
    "flag_reranker": ("flag_reranker", {}),
    "bi_encoder": ("bi_encoder", {}),
    "bi_encoder, flagembedding": ("bi_encoder", {"library": "flagembedding"}),
    "head": ("head", {}),
    "bge_m3_sparse": ("bge_m3_sparse", {}),
    "bge_m3_colbert": ("bge_m3_colbert", {}),
    "letters": ("letters", {}),
    "qwen3_reranker": ("qwen3_reranker", {}),
    "flagembedding": ("flagembedding", {"kind": "reranker"}),
    "flagembedding, llm": ("flagembedding", {"kind": "llm"}),
    "rerankers": ("rerankers", {"model_type": "cross-encoder"}),
    "sentence_transformers": ("sentence_transformers", {}),
    "sentence_transformers, cross": ("sentence_transformers", {"kind": "cross_encoder"}),
    "sentence_transformers, bi": ("sentence_transformers", {"kind": "bi_encoder"}),
}


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and nobody to fill it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # as with HF_HUB_OFFLINE=1
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def entry(loader: str, model: str = NOBODYS) -> Resolved:
    scorer, settings = LOADERS[loader]
    found = RerankerEntry(scorer=scorer, settings={"model": model, **settings})
    return resolve(installed_plugins(), "mine", found)


def test_every_scorer_with_a_model_is_tried() -> None:
    plugins = installed_plugins()
    names = {one.component.name for one in plugins.of_kind("scorer") if one.distribution == "rerank-registry"}
    assert names - {scorer for scorer, _ in LOADERS.values()} == {"bm25", "http"}  # none of them loads one


@pytest.mark.parametrize("loader", LOADERS)
def test_the_line_names_model_entry_and_mend(loader: str, offline: Path) -> None:
    with pytest.raises(PluginError) as caught:
        load_reranker(entry(loader), None)
    assert str(caught.value) == f"reranker 'mine' cannot be loaded: {OFFLINE}"


@pytest.mark.parametrize("loader", LOADERS)
def test_a_folder_that_is_not_there_is_named_likewise(loader: str) -> None:
    for ask in (reranker_key, lambda resolved: load_reranker(resolved, None)):
        with pytest.raises(RerankError, match=r"^reranker 'mine': model '\./no/where': no such folder[^\n]*$"):
            ask(entry(loader, "./no/where"))


@pytest.mark.parametrize("loader", ["cross_encoder", "sentence_transformers", "bi_encoder", "letters", "rerankers"])
def test_a_download_that_was_cut_off_is_no_whole_model(loader: str, offline: Path, sentence_encoder: Path) -> None:
    """Its configuration is in the cache, and its weights are not."""
    held = offline / f"models--{NOBODYS.replace('/', '--')}"
    (held / "refs").mkdir(parents=True)
    (held / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    shutil.copytree(sentence_encoder, held / "snapshots" / ("a" * 40), ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(RerankError) as caught:
        load_reranker(entry(loader), None)
    line = str(caught.value)
    assert line.startswith("reranker 'mine'")
    assert NOBODYS in line.replace("--", "/")  # as the folder of the cache is called
    assert "\n" not in line


@pytest.mark.parametrize("trainer", ["cross_encoder", "head", "letters"])
def test_so_does_a_training(trainer: str, offline: Path, small_registry: Path) -> None:
    with small_registry.open("a", encoding="utf-8") as file:
        told = json.dumps({"scorer": trainer, "trainer": trainer, "settings": {"model": NOBODYS}})
        file.write(f"  mine: {told}\n")
    with pytest.raises(RerankError) as caught:
        rr.train("mine", "rooms", registry=small_registry)
    assert str(caught.value) == f"training of 'mine' broke: {OFFLINE}"


@pytest.mark.parametrize("loader", ["cross_encoder", "sentence_transformers", "bi_encoder", "letters", "rerankers"])
def test_the_base_of_an_adapter_is_named(loader: str, offline: Path, sentence_encoder: Path, tmp_path: Path) -> None:
    """Its folder has a tokenizer and a configuration, as they are kept after a training."""
    folder = tmp_path / "adapter"
    shutil.copytree(sentence_encoder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    told = {"peft_type": "LORA", "base_model_name_or_path": NOBODYS, "target_modules": ["query"]}
    (folder / "adapter_config.json").write_text(json.dumps(told), encoding="utf-8")
    save_file({"base_model.model.x.lora_A.weight": torch.ones(1, 1)}, folder / "adapter_model.safetensors")
    with pytest.raises(PluginError) as caught:
        load_reranker(entry(loader, str(folder)), None)
    base = OFFLINE.replace(f"'{NOBODYS}'", f"'{NOBODYS}', which {folder} names,")
    assert str(caught.value) == f"reranker 'mine' cannot be loaded: {base}"


def test_a_hub_out_of_reach_is_no_reason_to_unset_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(FileNotFoundError) as caught, fetching(NOBODYS):
        raise ConnectionError("no network")
    reason = "and none that can be reached gives it (ConnectionError); name a local folder"
    assert str(caught.value).endswith(reason)
    with pytest.raises(PermissionError), fetching(str(tmp_path)):  # what is wrong with a folder is told as it is
        raise PermissionError
