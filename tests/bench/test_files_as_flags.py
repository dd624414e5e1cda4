"""Files in place of a data set, and the spellings of other scripts, as flags of `rr train`: with toys."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from rr import RerankError, Settings
from rr.data import DataPath
from rr.registry.plugins import Plugins, Registered
from rr.spec import Component, Kind
from rr_bench.cli import training
from rr_bench.cli.files import asked_dataset, offers
from rr_bench.cli.flags import setting_models, with_flags
from rr_bench.cli.spellings import in_our_words
from rr_bench.cli.training import stamped
from rr_bench.registry import Registry, load_registry
from rr_bench.schema import RerankerEntry
from tests.bench.test_cli import failed
from tests.conftest import Rr


class Table(Settings):
    rows: DataPath = Field(json_schema_extra={"flag": "rows_csv"})
    """The rows."""
    sheet: int = Field(0, json_schema_extra={"flag": "sheet"})
    strict: bool = True


class Pair(Settings):
    rows: DataPath = Field(json_schema_extra={"flag": "rows_csv"})
    labels: DataPath = Field(json_schema_extra={"flag": "labels_csv"})


class Plain(Settings):
    path: DataPath = Field(json_schema_extra={"title": "no flag"})


class Scorer:
    class Settings(Settings):
        model: str = "base"
        sha256: str | None = "abc"


class Bare:
    class Settings(Settings):
        sheet: int = 0


class Trainer:
    class Settings(Settings):
        lr: float = 1.0
        epochs: int = 5


class Own:
    class Settings(Settings):
        base_model: str = ""
        logging_steps: int = 0


def registered(kind: Kind, name: str, target: str, settings: str = "") -> Registered:
    told = f"{__name__}:{settings}" if settings else ""
    return Registered(Component(name, f"{__name__}:{target}", "", settings=told), kind, "toy", "toy", "1")


@pytest.fixture
def plugins() -> Plugins:
    return Plugins(
        [
            registered("reader", "broken", "Table", "Nothing"),
            registered("reader", "plain", "Plain", "Plain"),
            registered("reader", "untold", "Table"),
            registered("reader", "table", "Table", "Table"),
            registered("reader", "pair", "Pair", "Pair"),
            registered("scorer", "toy", "Scorer"),
            registered("scorer", "bare", "Bare"),
            registered("trainer", "toy", "Trainer"),
            registered("trainer", "own", "Own"),
        ]
    )


@pytest.fixture
def registry(small_registry: Path) -> Registry:
    return load_registry(small_registry)


ENTRY = RerankerEntry(scorer="toy", trainer="toy", training={"lr": 2.0})


def asked(plugins: Plugins, registry: Registry, *arguments: str, dataset: str | None = None, scorer: str = "toy"):  # type: ignore[no-untyped-def]
    models = setting_models(plugins, RerankerEntry(scorer=scorer, trainer="toy"))
    return asked_dataset(dataset, arguments, models, registry, offers(plugins))


def test_readers_offer_their_flags_and_one_that_is_broken_does_not_stop_them(plugins: Plugins) -> None:
    assert {offer.reader: (offer.options, offer.required) for offer in offers(plugins)} == {
        "toy/table": ({"rows_csv": "rows", "sheet": "sheet"}, ("rows_csv",)),
        "toy/pair": ({"rows_csv": "rows", "labels_csv": "labels"}, ("rows_csv", "labels_csv")),
    }
    assert offers(plugins)[0].texts["rows_csv"] == "The rows."


@pytest.mark.parametrize(
    ("arguments", "name", "reader", "options", "rest"),
    [
        ("--rows_csv a/Văn.csv", "Văn", "toy/table", {"rows": "a/Văn.csv"}, []),
        ("--rows-csv=a.b.csv --lr 1", "a.b", "toy/table", {"rows": "a.b.csv"}, ["--lr=1"]),
        ("--fp16 --sheet 3 --rows_csv x --lr -1", "x", "toy/table", {"rows": "x", "sheet": "3"}, ["--fp16", "--lr=-1"]),
        ("--labels_csv l.csv --rows_csv r.csv", "r", "toy/pair", {"rows": "r.csv", "labels": "l.csv"}, []),
    ],
)
def test_the_reader_that_knows_most_of_the_flags_reads_the_files(
    plugins: Plugins,
    registry: Registry,
    arguments: str,
    name: str,
    reader: str,
    options: dict[str, str],
    rest: list[str],
) -> None:
    called, entry, left = asked(plugins, registry, *arguments.split())
    assert (called, entry.reader, entry.options, left) == (name, reader, options, rest)
    assert (entry.candidates.retriever, entry.candidates.depth) == ("bm25", 20)


def test_without_files_it_is_the_data_set_of_the_registry(plugins: Plugins, registry: Registry) -> None:
    name, entry, rest = asked(plugins, registry, "--lr", "1", dataset="rooms")
    assert (name, entry.reader, rest) == ("rooms", "jsonl", ["--lr", "1"])


def test_a_setting_of_the_reranker_is_no_file(plugins: Plugins, registry: Registry) -> None:
    _, entry, rest = asked(plugins, registry, "--sheet", "3", dataset="rooms", scorer="bare")
    assert (entry.reader, rest) == ("jsonl", ["--sheet", "3"])


@pytest.mark.parametrize(
    ("arguments", "dataset", "said"),
    [
        ("", None, "name the data set to train on with --dataset, or its files with --rows_csv, or "),
        (
            "--labels_csv l",
            None,
            "--labels_csv without --rows_csv; the data set is made of --rows_csv and --labels_csv",
        ),
        ("--sheet 1", None, "--sheet without --rows_csv; the data set is made of --rows_csv"),
        ("--rows_csv r", "rooms", "--dataset rooms and --rows_csv are two data sets; keep one"),
        ("--sheet 1", "rooms", "--dataset rooms and --sheet are two data sets"),
        ("--rows_csv r --rows-csv r", None, "--rows-csv is given twice; keep one"),
        ("--rows_csv --lr 1", None, "--rows_csv needs a value"),
        ("--rows_csv=", None, "--rows_csv needs a value"),
        ("", "room", "no data set is called 'room'; did you mean 'rooms'?"),
    ],
)
def test_mistakes_are_one_line(
    plugins: Plugins, registry: Registry, arguments: str, dataset: str | None, said: str
) -> None:
    with pytest.raises(RerankError) as raised:
        asked(plugins, registry, *arguments.split(), dataset=dataset)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


# spellings of other scripts


def translated(
    plugins: Plugins, registry: Registry, entry: RerankerEntry, *arguments: str
) -> tuple[RerankerEntry, list[str]]:
    ours, notes = in_our_words(arguments, setting_models(plugins, entry), registry, "toy", entry)
    return with_flags(plugins, "toy", entry, ours), notes


@pytest.mark.parametrize("base", ["name/of-the-hub", "a: [b]", "123", "2026-01-01", "null", "mô hình"])
def test_a_base_model_is_the_scorers_model_whatever_its_name(plugins: Plugins, registry: Registry, base: str) -> None:
    entry, notes = translated(plugins, registry, ENTRY, "--base_model", base)
    assert entry.settings == {"model": base, "sha256": None}
    assert notes == ["'toy' keeps options that were chosen for None: lr 2.0; flags change them"]
    entry, notes = translated(plugins, registry, ENTRY, f"--base-model={base}", "--sha256", "0f", "--lr", "1")
    assert (entry.settings, entry.training, notes) == ({"model": base, "sha256": "0f"}, {"lr": 1}, [])


def test_options_that_are_the_trainers_own_or_for_this_very_base_are_no_news(
    plugins: Plugins, registry: Registry
) -> None:
    usual = RerankerEntry(scorer="toy", trainer="toy", training={"lr": 1.0})
    assert translated(plugins, registry, usual, "--base_model", "x")[1] == []
    same = RerankerEntry(scorer="toy", trainer="toy", training={"lr": 2.0}, settings={"model": "x"})
    assert translated(plugins, registry, same, "--base_model", "x")[1] == []


def test_logging_steps_are_passed_over_and_said(plugins: Plugins, registry: Registry) -> None:
    entry, notes = translated(plugins, registry, ENTRY, "--logging_steps", "10", "--epochs", "1")
    assert entry.training == {"lr": 2.0, "epochs": 1}
    assert notes == ["--logging_steps is not read: the loss of every step is logged, in events.jsonl of the checkpoint"]


def test_settings_of_these_names_are_the_rerankers_own(plugins: Plugins, registry: Registry) -> None:
    own = RerankerEntry(scorer="toy", trainer="own")
    entry, notes = translated(plugins, registry, own, "--base_model", "x", "--logging_steps", "3")
    assert (entry.training, entry.settings, notes) == ({"base_model": "x", "logging_steps": 3}, {}, [])


@pytest.mark.parametrize(
    ("scorer", "arguments", "said"),
    [
        ("bare", "--base_model x", "'toy' has no setting --base_model"),
        ("toy", "--base_model", "--base_model needs a value"),
        ("toy", "--base_model x --base_model y", "--settings.model is given twice"),
    ],
)
def test_a_base_model_that_cannot_be(
    plugins: Plugins, registry: Registry, scorer: str, arguments: str, said: str
) -> None:
    with pytest.raises(RerankError, match=said):
        translated(plugins, registry, RerankerEntry(scorer=scorer, trainer="toy"), *arguments.split())


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    plugins: Plugins, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "checkpoint-20").mkdir(parents=True)
    with pytest.raises(RerankError, match=r"checkpoint-2: no such folder in .*mine; did you mean 'checkpoint-20'\?$"):
        translated(plugins, registry, ENTRY, "--base_model", str(tmp_path / "mine" / "checkpoint-2"))


# --timestamp


def test_a_timestamp_is_put_behind_the_name(tmp_path: Path) -> None:
    assert stamped(tmp_path / "mine").parent == tmp_path
    name, date, time = stamped(tmp_path / "my-own").name.rsplit("-", 2)
    assert (name, len(date), len(time), (date + time).isdigit()) == ("my-own", 8, 6, True)


@pytest.mark.parametrize("out", [".", "..", "a/.."])
def test_a_timestamp_needs_a_name(out: str) -> None:
    with pytest.raises(RerankError, match="has no name to put the time behind"):
        stamped(Path(out))


def test_several_processes_would_not_have_the_same_timestamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(RerankError, match="--timestamp is for one process"):
        stamped(tmp_path / "mine")


def test_a_training_needs_data(rr_command: Rr, small_registry: Path) -> None:
    said = "--dataset, or its files with --corpus_csv and --train_xlsx"
    failed(rr_command("train", "bi-encoder", "--registry", small_registry), said)
    told = " ".join(rr_command("train", "bi-encoder", "--registry", small_registry, "--help").stdout.split())
    assert "--corpus_csv The CSV of documents. --train_xlsx The XLSX of labelled queries." in told
    assert training.FINETUNED in told
