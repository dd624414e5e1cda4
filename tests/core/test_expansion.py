"""What a variable in a path holds is used, and shown nowhere."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import pytest

from rr import Component, ModelInfo, Request, Settings
from rr.data.collection import Collection
from rr.data.files import DataPath, read_text
from rr.errors import DataError, RegistryError, RerankError, summary
from rr.registry.expansion import as_written, expanded, path_as_written
from rr.registry.plugins import Plugins, Registered
from rr.types import Document, Query
from rr_bench.cli import main
from rr_bench.evaluate.results import DatasetResult, Row
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry

VALUE = "hunter2"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", VALUE)


@pytest.mark.parametrize(
    "written",
    [
        "${SECRET}/a.csv",
        "/srv/${SECRET}/a.csv",
        "/srv/${SECRET}.csv",
        "/srv/x${SECRET}y/a.csv",
        "/srv/${SECRET}/${SECRET}.csv",
        "${SECRET}",
        "/srv/it's ${SECRET}/a.csv",
    ],
)
def test_a_path_is_shown_as_it_is_written(written: str) -> None:
    path = expanded(written)
    assert str(path) == written.replace("${SECRET}", VALUE)
    assert path_as_written(path) == written
    assert as_written(f"{path}, line 3: {path.parent} and {path.name}; {path}") == (
        f"{written}, line 3: {Path(written).parent} and {Path(written).name}; {written}"
    )
    for told in (f"{OSError(2, 'No such file', str(path))}", f"{path / 'inner' / 'file'}", f"see {path}."):
        assert VALUE not in as_written(told)


def test_longer_values_go_first_and_words_stay_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT", "/data/sets")
    monkeypatch.setenv("INNER", "/data/sets/inner/")
    monkeypatch.setenv("SHORT", "data")
    monkeypatch.setenv("SLASH", "/")
    for written in ("${ROOT}/a", "${INNER}/a", "${SHORT}/a", "${SLASH}/a", "${SECRET}"):
        expanded(written)
    assert as_written("/data/sets/inner/b and /data/sets/b") == "${INNER}/b and ${ROOT}/b"
    assert as_written("data set, data/b, data/a: and/or / x/y") == "data set, data/b, ${SHORT}/a: and/or / x/y"
    assert as_written("hunter22 hunter2_b") == "hunter22 ${SECRET}_b"


def test_a_value_that_was_filled_in_nowhere_is_left_alone() -> None:
    assert as_written(f"/srv/{VALUE}") == f"/srv/{VALUE}"


def test_the_home_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert path_as_written(expanded("~/a.csv")) == "/home/someone/a.csv"
    assert path_as_written(expanded("~/${SECRET}/a.csv")) == "~/${SECRET}/a.csv"


def raised(path: Path) -> Exception:
    try:
        read_text(path)
    except DataError as error:
        return error
    raise AssertionError


def test_errors_notes_and_tracebacks_show_it_unexpanded(tmp_path: Path) -> None:
    path = expanded(f"{tmp_path}/${{SECRET}}/a.csv")
    error = raised(path)
    assert str(error) == f"{tmp_path}/${{SECRET}}/a.csv: no such file; check the path"
    assert VALUE not in str(RerankError(f"wrapped: {path}"))
    with pytest.raises(OSError, match=VALUE) as broken:
        path.open()
    trace = "".join(traceback.format_exception(broken.value))
    assert VALUE not in summary(broken.value)
    row = Row("x", notes=(f"read {path}",), failure=str(broken.value), traceback=trace)
    data = DatasetResult("x", notes=row.notes, failure=str(broken.value), traceback=trace)
    for result in (row, data):
        told = (*result.notes, result.failure, result.traceback)
        assert all("${SECRET}" in text and VALUE not in text for text in told)


def test_a_name_is_never_taken_for_a_secret() -> None:
    expanded("${SECRET}/a.csv")
    assert Row(VALUE).reranker == DatasetResult(VALUE).name == VALUE


def test_a_stored_data_set_shows_it_unexpanded() -> None:
    path = expanded("/srv/${SECRET}/a.csv")
    documents, queries = {"d": Document("d", "x")}, {"q": Query("q", "x")}
    found = Collection(documents, queries, {"q": {"d": 1}}, notes=(f"2 lines of {path} left out",))
    assert found.notes == ("2 lines of /srv/${SECRET}/a.csv left out",)


class WithPath:
    class Settings(Settings):
        path: DataPath
        others: tuple[DataPath, ...] = ()
        none: DataPath | None = None

    info = ModelInfo("logit")

    def __init__(self, settings: WithPath.Settings, checkpoint: Path | None = None) -> None: ...

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return []


PLUGINS = Plugins([Registered(Component("toy", f"{__name__}:WithPath", ""), "scorer", "toy", "toy", "1")])


def test_settings_of_plugins_are_used_filled_in_and_dumped_as_written() -> None:
    given = {"path": "/srv/${SECRET}/a", "others": ["${SECRET}/b", "/plain"]}
    settings = resolve(PLUGINS, "toy", RerankerEntry(scorer="toy", settings=given)).settings
    assert isinstance(settings, WithPath.Settings)
    assert settings.path == Path(f"/srv/{VALUE}/a")
    assert settings.model_dump(mode="json") == {**given, "none": None}
    assert json.loads(settings.model_dump_json()) == {**given, "none": None}


def test_a_checkpoint_is_shown_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from rr_bench.train.checkpoints import chosen_checkpoint

    entry = RerankerEntry(scorer="toy", checkpoint="/srv/${SECRET}/mine", settings={"path": "x"})
    with pytest.raises(RerankError) as caught:
        chosen_checkpoint(PLUGINS, resolve(PLUGINS, "toy", entry), None)
    assert VALUE not in str(caught.value)


def test_a_wrong_setting_beside_it_does_not_tell() -> None:
    entry = RerankerEntry(scorer="toy", settings={"path": "/srv/${SECRET}/a", "others": [5]})
    with pytest.raises(RegistryError) as caught:
        resolve(PLUGINS, "toy", entry)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("broken", ["", "documents.jsonl", "qrels.jsonl", "is a folder", "is not JSON"])
def test_no_command_shows_or_keeps_it(
    small_registry: Path,
    tmp_path: Path,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The data are good, missing, or broken: nothing printed, written for the user or kept holds the secret."""
    folder = tmp_path / f"small-{VALUE}"
    (tmp_path / "small").rename(folder)
    monkeypatch.setenv("SECRET", str(folder))
    text = small_registry.read_text(encoding="utf-8").replace(str(tmp_path / "small"), "${SECRET}")
    small_registry.write_text(text, encoding="utf-8")
    if broken == "is a folder":
        (folder / "queries.jsonl").unlink()
        (folder / "queries.jsonl").mkdir()
    elif broken == "is not JSON":
        (folder / "queries.jsonl").write_text('{"id": 1}\n{"id": ')
    elif broken:
        (folder / broken).unlink()
    out = tmp_path / "out"
    for arguments in (
        ["data", "list"],
        ["data", "show", "rooms"],
        ["bench", "first-stage", "bm25", "--out", str(out)],
        ["info", "bm25"],
        ["rerank", "bm25", "-d", "rooms", "-q", "x", "y"],
    ):
        monkeypatch.setattr(sys, "argv", ["rr", *arguments, "--registry", str(small_registry)])
        with pytest.raises(SystemExit):
            main()
        told = capsys.readouterr()
        assert VALUE not in told.out + told.err
        if arguments[0] == "bench":
            assert ("${SECRET}/" in told.out) == bool(broken)
    kept = [file for place in (out, tmp_path / "rr-home") for file in place.rglob("*") if file.is_file()]
    assert kept
    assert not [file for file in kept if VALUE in file.read_text(encoding="utf-8", errors="replace")]
    assert ("${SECRET}/" in (out / "bench.json").read_text(encoding="utf-8")) == bool(broken)
