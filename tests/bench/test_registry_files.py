"""Registries that extend one another, and from where their paths start."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rr.errors import RegistryError
from rr_bench.data.load import load_dataset
from rr_bench.registry import Registry, load_registry
from rr_bench.registry_files import InFile, from_record, recordable
from tests.conftest import Rr

BASE = """\
version: 1
default_profile: base
profiles:
  base: {suite: rooms, rerankers: [bm25]}
suites:
  rooms:
    metrics: [MAP]
    datasets:
      rooms: {reader: jsonl, options: {documents: d.jsonl, queries: q.jsonl, qrels: r.jsonl}}
rerankers:
  bm25: {scorer: bm25, settings: {fold_accents: true}}
  named: {scorer: cross_encoder, trainer: cross_encoder, checkpoint: trained, settings: {model: model}}
  random: {reranker: random}
"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def error_of(path: Path) -> str:
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_packaged_registry_is_inherited_whole(tmp_path: Path) -> None:
    found = load_registry(written(tmp_path / "r.yaml", "extends: packaged\nversion: 1\n"))
    shipped = load_registry(Path(__file__).parents[2] / "registry.yaml")
    assert found.model_copy(update={"extends": None}) == shipped


def test_what_a_registry_names_is_laid_over_what_it_extends(tmp_path: Path) -> None:
    written(tmp_path / "base.yaml", BASE)
    own = """\
extends: base.yaml
default_profile: mine
profiles:
  mine: {suite: rooms}
  base: {overrides: {bm25: {window: 5}}}
suites:
  rooms:
    datasets:
      rooms: {candidates: {depth: 7}, options: {text: caption}}
      more: {reader: helpdesk}
  own: {datasets: {mine: {reader: rentals}}}
rerankers:
  bm25: {settings: {k1: 1.2}}
  random: {scorer: bm25}
"""
    found = load_registry(written(tmp_path / "own.yaml", own))
    assert (found.default_profile, list(found.profiles)) == ("mine", ["base", "mine"])
    assert found.profiles["base"].rerankers == ("bm25",)
    assert found.reranker("bm25", "base").window == 5
    assert found.rerankers["bm25"].settings == {"fold_accents": True, "k1": 1.2}
    # an entry that says what it is takes the place of the other whole
    assert (found.rerankers["random"].scorer, found.rerankers["random"].reranker) == ("bm25", None)
    assert found.suites["rooms"].metrics == ("MAP",)
    assert list(found.suites["rooms"].datasets) == ["rooms", "more"]
    rooms = found.dataset("rooms")
    assert (rooms.reader, rooms.candidates.depth) == ("jsonl", 7)
    assert set(rooms.options) == {"documents", "queries", "qrels", "text"}
    assert found.dataset("mine").reader == "rentals"


def test_a_chain_of_three(tmp_path: Path) -> None:
    written(tmp_path / "base" / "base.yaml", BASE)
    written(tmp_path / "middle.yaml", "version: 1\nextends: base/base.yaml\nrerankers: {second: {scorer: bm25}}\n")
    found = load_registry(written(tmp_path / "own.yaml", "extends: middle.yaml\nrerankers: {third: {scorer: bm25}}\n"))
    assert {"bm25", "second", "third"} <= found.rerankers.keys()
    # each path starts from the folder of the file that says it
    assert found.rerankers["named"].checkpoint == str(tmp_path / "base" / "trained")


@pytest.mark.parametrize(
    ("own", "base", "told"),
    [
        (
            "extends: gone.yaml\n",
            BASE,
            "extends 'gone.yaml', and {folder}/gone.yaml is no file; name one, or 'packaged'",
        ),
        ("extends: own.yaml\n", BASE, "extends 'own.yaml' in a circle"),
        ("extends: base.yaml\n", "extends: own.yaml\n", "base.yaml: extends 'own.yaml' in a circle"),
        (
            "extends: base.yaml\n",
            BASE.replace("bm25: {scor", "bm25: {scro"),
            "base.yaml: unknown key 'rerankers.bm25.scro",
        ),
        ("extends: base.yaml\nprofiles: {x: {suite: rom}}\n", BASE, "own.yaml: profile 'x' names suite 'rom', which"),
        ("extends: base.yaml\nrerankers: {bm25: {windw: 1}}\n", BASE, "'rerankers.bm25.windw'; did you mean 'window'?"),
        ("extends: [base.yaml]\n", BASE, "extends: names one file, or 'packaged', not list"),
        ("extends: ${RR_NOT_SET}/x.yaml\n", BASE, "extends: environment variable RR_NOT_SET is not set"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, own: str, base: str, told: str) -> None:
    written(tmp_path / "base.yaml", base)
    assert told.format(folder=tmp_path) in error_of(written(tmp_path / "own.yaml", own))


def test_all_missing_keys_are_named_at_once(rr_command: Rr, tmp_path: Path) -> None:
    assert error_of(written(tmp_path / "r.yaml", "version: 1\n")).endswith(
        ": keys 'profiles', 'suites' and 'rerankers' are missing"
    )
    written(tmp_path / "registry.yaml", BASE.replace("documents: d.jsonl, queries: q.jsonl, qrels: r.jsonl", ""))
    shown = rr_command("data", "show", "rooms")
    assert shown.returncode == 2
    assert "options: keys 'documents', 'queries' and 'qrels' are missing" in shown.stderr


def test_paths_start_from_the_folder_of_the_registry_and_not_from_the_working_folder(
    rr_command: Rr, small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sub"
    shutil.move(tmp_path / "small", folder / "small")
    text = small_registry.read_text(encoding="utf-8").replace(f"{tmp_path}/small/", "small/")
    written(
        folder / "r.yaml",
        text + "  folder: {scorer: cross_encoder, trainer: cross_encoder, checkpoint: here, settings: {model: m}}\n",
    )
    shown = rr_command("data", "show", "rooms", "--registry", "sub/r.yaml")
    assert shown.returncode == 0, shown.stderr
    # and what extends it from another folder leads there too
    written(tmp_path / "own.yaml", "version: 1\nextends: sub/r.yaml\n")
    assert rr_command("data", "show", "rooms", "--registry", "own.yaml").returncode == 0
    gone = rr_command("rerank", "folder", "--query", "q", "a", "b", "--registry", "sub/r.yaml")
    assert "sub/here: no checkpoint" in gone.stderr
    (folder / "small" / "documents.jsonl").unlink()
    assert (
        "sub/small/documents.jsonl: no such file"
        in rr_command("data", "show", "rooms", "--registry", "sub/r.yaml").stderr
    )
    monkeypatch.setenv("ROOMS", str(folder / "small"))
    (folder / "variable.yaml").write_text(text.replace("small/", "${ROOMS}/"), encoding="utf-8")
    told = rr_command("data", "show", "rooms", "--registry", "sub/variable.yaml").stderr
    assert "${ROOMS}/documents.jsonl: no such file" in told


def test_what_a_variable_holds_starts_where_the_shell_is(
    rr_command: Rr, small_registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `ROOMS=small rr bench … --registry sub/r.yaml`, and in the record that a run is run again from."""
    monkeypatch.setenv("ROOMS", "small")
    text = small_registry.read_text(encoding="utf-8").replace(f"{tmp_path}/small/", "${ROOMS}/")
    split = "        split: {test: '${ROOMS}/ids.txt'}\n"
    written(tmp_path / "sub" / "r.yaml", text.replace("        options:\n", f"{split}        options:\n"))
    written(tmp_path / "small" / "ids.txt", "q0\nq1\nq2\n")
    monkeypatch.setenv("BASES", "sub")
    written(tmp_path / "mine" / "own.yaml", "version: 1\nextends: ${BASES}/r.yaml\n")
    for registry in ("sub/r.yaml", "mine/own.yaml"):
        shown = rr_command("data", "show", "rooms", "--registry", registry)
        assert shown.returncode == 0, shown.stderr
    assert rr_command("bench", "bm25", "first-stage", "--registry", "sub/r.yaml").returncode == 0
    assert rr_command("runs", "rerun", "latest").returncode == 0
    (tmp_path / "small" / "documents.jsonl").unlink()
    told = rr_command("data", "show", "rooms", "--registry", "sub/r.yaml").stderr
    assert "${ROOMS}/documents.jsonl: no such file" in told
    assert "sub" not in told


def test_a_local_model_and_files_of_a_split_start_there_too(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    text = BASE.replace("{reader: jsonl", "{split: {test: ids/test.txt, dev: ~/dev.txt}, reader: jsonl")
    found = load_registry(written(tmp_path / "r.yaml", text))
    assert found.rerankers["named"].settings["model"] == str(tmp_path / "model")
    assert found.dataset("rooms").split.files == {"dev": "~/dev.txt", "test": str(tmp_path / "ids" / "test.txt")}
    (tmp_path / "model").rmdir()  # then it is a name of the hub
    assert load_registry(tmp_path / "r.yaml").rerankers["named"].settings["model"] == "model"


def test_a_run_is_run_again_with_the_paths_that_it_had(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    shutil.move(tmp_path / "small", folder / "small")
    written(folder / "r.yaml", small_registry.read_text(encoding="utf-8").replace(f"{tmp_path}/small/", "small/"))
    benched = rr_command("bench", "bm25", "first-stage", "--registry", "sub/r.yaml")
    assert benched.returncode == 0, benched.stderr
    again = rr_command("runs", "rerun", "latest")
    assert again.returncode == 0, again.stderr + again.stdout


def test_what_a_path_starts_from_survives_a_record(tmp_path: Path) -> None:
    found = load_registry(written(tmp_path / "r.yaml", BASE))
    again = Registry.model_validate(from_record(recordable(found.model_dump(exclude_unset=True))))
    option = again.dataset("rooms").options["documents"]
    assert isinstance(option, InFile)
    assert (option, option.folder) == ("d.jsonl", tmp_path)
    assert again.rerankers == found.rerankers


def test_a_prepared_data_set_is_found_again_whatever_the_registry_is_called(
    tmp_path: Path, small_registry: Path
) -> None:
    first = load_dataset("rooms", load_registry(small_registry).dataset("rooms"))
    other = written(tmp_path / "other.yaml", f"version: 1\nextends: {small_registry}\n")
    assert load_dataset("rooms", load_registry(other).dataset("rooms")) == first
    assert len(list((tmp_path / "rr-home" / "data").iterdir())) == 1
