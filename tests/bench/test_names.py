"""Names are not paths: wherever one becomes a folder or a file, it stays below where it belongs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rr.errors import RegistryError, RerankError
from rr_bench.data.load import load_dataset
from rr_bench.names import checked_name, told_apart
from rr_bench.outputs import as_file_name, new_path
from rr_bench.registry import Registry, load_registry

GOOD = ("bm25", "_x", "3", "bge-m3.v2+x@q8", "phòng trọ", "letters (oracle), τ=1", "हिन्दी", "検索", "x" * 100)
BAD = {
    "": "empty",
    " ": "begin with",
    "..": "begin with",
    ".x": "begin with",
    "-x": "begin with",
    "+x": "begin with",
    "x ": "end with no blank",
    "a/b": "holds '/'",
    "../../x": "holds '/'",
    "C:\\x": "holds ':'",
    "a\\b": r"holds '\\\\'",
    "a\0": r"holds '\\x00'",
    "a\tb": r"holds '\\t'",
    "a\u202eb": "holds",
    "a\ud800": "holds",
    "a\u2044b": "holds",
    "$(x)": r"holds '\$'",
    "a|b": "holds",
    "x" * 101: "longer than 100 bytes",
    "ế" * 34: "longer than 100 bytes",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_name_that_is_one(name: str) -> None:
    assert checked_name(name) == name
    assert as_file_name(name) == name


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_a_path_or_worse(name: str) -> None:
    with pytest.raises(ValueError, match=BAD[name]):
        checked_name(name)
    if name:
        escaped = as_file_name(name)
        assert Path("folder") / escaped == Path("folder", escaped)
        assert len((Path("folder") / escaped).parts) == 2
        assert escaped not in (".", "..")
        escaped.encode()


def test_two_names_never_share_a_file() -> None:
    names = [*GOOD, *filter(None, BAD), "a%2Fb", "rr-overlap/overlap", "rr-overlap%2Foverlap"]
    assert len({as_file_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("one", "other"), [("head", "Head"), ("ĐÊM", "đêm"), ("ph\u00f2ng", "pho\u0300ng"), ("straße", "STRASSE")]
)
def test_names_that_some_file_systems_take_for_one(one: str, other: str) -> None:
    with pytest.raises(ValueError, match="rename one"):
        told_apart(["x", one, other])
    told_apart(["head", "heads", one])


@pytest.mark.parametrize("kind", ["profiles", "suites", "datasets", "rerankers"])
@pytest.mark.parametrize("name", ["../../x", "/x", "..", "-x"])
def test_a_registry_built_in_python_is_checked_too(small_registry: Path, kind: str, name: str) -> None:
    content: dict[str, Any] = load_registry(small_registry).model_dump()
    table = content["suites"]["small"]["datasets"] if kind == "datasets" else content[kind]
    table[name] = next(iter(table.values()))
    with pytest.raises(ValueError, match="the name"):
        Registry.model_validate(content)


def test_a_data_set_that_a_program_calls_so_stays_in_the_home(small_registry: Path, tmp_path: Path) -> None:
    entry = load_registry(small_registry).dataset("rooms")
    before = {path.name for path in tmp_path.iterdir()}
    dataset = load_dataset("../../../escaped", entry)
    assert dataset.name == "../../../escaped"
    (folder,) = (Path(os.environ["RR_HOME"]) / "data").glob("[!.]*")
    assert folder.name.startswith("%2E.%2F..%2F..%2Fescaped-")
    assert {path.name for path in tmp_path.iterdir()} == before | {"rr-home"}


def test_the_registries_that_we_ship_are_named_well() -> None:
    for path in (Path("registry.yaml"), *Path("examples").glob("*.yaml")):
        if "\nrerankers:" not in path.read_text(encoding="utf-8"):
            continue  # of another program
        assert load_registry(Path(__file__).parents[2] / path).rerankers


# where results go


def test_a_place_below_folders_that_are_yet_to_be_made(tmp_path: Path) -> None:
    new_path(tmp_path / "a" / "b" / "out.jsonl", "--out", (tmp_path / "in.jsonl", None))
    assert not list(tmp_path.iterdir())


def test_the_api_looks_before_it_trains(small_registry: Path, tmp_path: Path) -> None:
    from rr.registry.plugins import Plugins, installed_plugins
    from rr_bench.resolve import resolve
    from rr_bench.train.training import train

    registry = load_registry(small_registry)
    dataset = load_dataset("rooms", registry.dataset("rooms"))
    resolved = resolve(installed_plugins(), "bm25", registry.reranker("bm25"))
    (tmp_path / "file").touch()
    with pytest.raises(RerankError, match="file is no folder; name another --out"):
        train(Plugins(), resolved, dataset, tmp_path / "file" / "out")


def test_a_name_is_told_with_its_place(small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.replace("  bm25:", '  "../bm25":'), encoding="utf-8")
    with pytest.raises(RegistryError, match=r"small\.yaml: rerankers: the name '\.\./bm25' holds '/'; write letters"):
        load_registry(small_registry)
