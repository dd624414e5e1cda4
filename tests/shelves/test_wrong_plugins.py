"""The shelf of wrong plugins: `tests/dist/rr_wrong`, really installed, one entry point a fault.

Each is benched by the real command beside three baselines. Its row is FAILED and says what is wrong, the exit code is
1, nobody sees a traceback who did not ask for one, and the rows of the others are those of a bench without it, to the
last bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Install
from tests.shelves.forks import Ended, Forks

TIMEOUT = "0.5"
"""Seconds for an import, where a case needs the end of them."""

DISCOVERY = {
    "exits_0_at_import": "import failed: SystemExit: 0",
    "exits_3_at_import": "import failed: SystemExit: 3",
    "raises_base_exception_at_import": "import failed: Own: of its own kind",
    "raises_keyboard_interrupt_at_import": "import failed: KeyboardInterrupt",
    "raises_generator_exit_at_import": "import failed: GeneratorExit",
    "raises_memory_error_at_import": "import failed: MemoryError",
    "raises_group_at_import": "import failed: BaseExceptionGroup: two",
    "raises_unprintable_at_import": "import failed: Own",
    "raises_escape_at_import": r"import failed: RuntimeError: \x1b[31mred and two lines",
    "recurses_at_import": "import failed: RecursionError",
    "syntax_error": "import failed: SyntaxError",
    "missing_module": "import failed: ModuleNotFoundError: No module named 'rr_wrong.nowhere'",
    "missing_attribute": "import failed: AttributeError: module 'rr_wrong.right' has no attribute 'nothing'",
    "sleeps_at_import": "import failed: TimeoutError: not done after 0.5 s, given up",
    "loops_at_import": "import failed: TimeoutError",
    "waits_for_a_lock_at_import": "import failed: TimeoutError",
    "accepts_at_import": "import failed: TimeoutError",
    "asks_at_import": "import failed: TimeoutError",
    "retries_at_import": "import failed: TimeoutError",
    "no_hooks": "registers nothing: rr_wrong.no_hooks has no function marked @rr.hookimpl",
    "exits_at_registration": "registration failed: SystemExit: 5",
    "loops_at_registration": "registration failed: TimeoutError",
    "returns_none": "rr_register_scorers returned None; return a list",
    "returns_text": "rr_register_scorers returned str; return a list",
    "returns_mapping": "rr_register_scorers returned dict; return a list",
    "returns_one_component": "rr_register_scorers returned Component; return a list",
    "returns_a_class": "a hook returned <class 'rr_wrong.right.Right'>; return rr.Component rows",
    "raises_midway": "registration failed: RuntimeError: raised midway",
    "exits_midway": "registration failed: SystemExit: 6",
    "returns_without_end": "rr_register_scorers returned more than 1000 rows",
    "same_name_twice": "scorer 'same_name_twice' is registered 2 times",
    "empty_name": "component '': a name is",
    "name_with_space": "component 'a name': a name is",
    "name_with_slash": "component '../name': a name is",
    "name_with_newline": r"component 'na\nme': a name is",
    "name_with_escape": r"component 'na\x1b[31mme': a name is",
    "name_is_a_number": "component 7: its name is int, not text",
    "target_without_class": "target 'rr_wrong.right' is not 'module:Class'",
    "target_is_a_class": "component 'target_is_a_class': its target is type, not text",
    "requires_is_text": "requires is 'torch'; give a tuple",
    "misspelt_hook": "unknown hook 'rr_register_scorer'",
    "hook_with_argument": "registration failed: PluginValidationError",
    "as_class": "registration failed: TypeError",
}
"""At import and registration: the entry point → what its line says."""

USE = {
    "exits_at_load": "cannot be loaded: SystemExit: 0",
    "raises_base_exception_at_load": "cannot be loaded: BaseException: of its own kind",
    "target_exits": "rr_wrong.exits_3_at_import:Right cannot be imported: SystemExit: 3",
    "target_is_a_function": "rr_wrong.target_is_a_function:make is function, not a class",
    "target_is_missing": "rr_wrong.target_is_missing:Nothing cannot be imported: AttributeError",
    "settings_of_another_kind": "rr_wrong.settings_of_another_kind:Wrong.Settings is no subclass of rr.Settings",
    "settings_exit": "settings cannot be checked: SystemExit: 0",
    "weights_raise": "Wrong.Settings.weights(): OSError: no such weights",
    "weights_are_none": "Wrong.Settings.weights() gave NoneType, not text",
    "info_raises": "rr_wrong.info_raises:Wrong.info: RuntimeError: raised in info",
    "info_exits": "rr_wrong.info_exits:Wrong.info: SystemExit: 0",
    "info_is_a_mapping": "rr_wrong.info_is_a_mapping:Wrong.info is dict, not rr.ModelInfo",
    "no_score_method": "rr_wrong.no_score_method:Wrong has no method 'score'",
    "exits_in_score": "score failed: SystemExit: 0",
    "raises_keyboard_interrupt_in_score": "score failed: KeyboardInterrupt",
    "recurses_in_score": "score failed: RecursionError",
    "raises_memory_error_in_score": "score failed: MemoryError",
    "edits_candidates": "score failed: AttributeError: 'tuple' object has no attribute 'reverse'",
    "empties_requests": "the scorer gave 0 answers to 1 requests",
    "scores_later": "the scorer gave coroutine, not a list of answers",
    "exits_while_read": "score failed: SystemExit: 0",
    "gives_none": "the scorer gave NoneType, not a list of answers",
    "gives_a_mapping": "the scorer gave dict, not a list of answers",
    "gives_one_too_few": "the scorer gave 0 answers to 1 requests",
    "gives_without_end": "the scorer gave more than 1 answers to 1 requests",
    "nan": "1 of 6 scores are NaN or infinite",
    "infinite": "1 of 6 scores are NaN or infinite",
    "too_few": "5 scores for 6 candidates",
    "too_many": "7 scores for 6 candidates",
    "nested": "not a flat sequence of numbers",
    "strings": "not a flat sequence of numbers",
    "none_among_scores": "not a flat sequence of numbers",
    "scores_by_id": "not a flat sequence of numbers but dict",
    "complex_scores": "not a flat sequence of numbers",
    "scores_that_exit": "score failed: SystemExit: 0",
    "nan_diagnostics": "diagnostic 'doubt' is NaN or infinite",
    "exits_in_rerank": "rerank failed: SystemExit: 0",
    "reranks_nothing": "the reranker gave 0 rankings for 1 requests",
    "reranks_to_none": "the reranker gave NoneType, not a list of rankings",
    "reranks_to_ids": "the reranker answered list, not Ranking",
    "drops_documents": "the ranking holds 5 documents",
    "duplicates_documents": "the ranking holds 6 documents (5 distinct",
    "invents_documents": "5 of them candidates",
    "answers_another_query": "the reranker answered query 'other' in its place",
    "ranks_unsorted": "the ranking's documents are not in the order of their scores",
    "ranks_by_nan": "6 of 6 scores are NaN or infinite",
}
"""At load and while it scores: the component → what its row says."""

TRAINING = {
    "exits_in_training": "training of 'exits_in_training' broke: SystemExit: 0",
    "raises_base_exception_in_training": "training of 'raises_base_exception_in_training' broke: BaseException",
    "loss_is_nan": "the loss is nan at step 1",
    "removes_its_folder": "the trainer removed the folder it writes into",
    "exits_when_made": "training of 'exits_when_made' broke: SystemExit: 0",
    "training_settings_of_another_kind": "Wrong.Settings is no subclass of rr.Settings",
}
"""While it trains: the trainer → what its row says."""

REFUSED = {
    "edits_metadata": "this mapping is read-only",
    "edits_texts": "it changed data that it was only shown",
    "random_scores": "when the query is asked alone and",
    "noisy_scores": "when the query is asked alone and",
    "depends_on_its_batch": "when the query is asked alone and",
    "unknown_scale": "info.scale is",
    "unknown_state": "info.state is",
    "outside_its_scale": "and a probability lies between 0 and 1",
    "trained_without_checkpoint": "trained",
}
"""What the gate refuses of answers, and what data refuse to have done to them: the component → what its row says."""

REFUSED_TRAINING = {
    "edits_judgements": "this mapping is read-only",
    "edits_documents_in_training": "this mapping is read-only",
    "reads_test_judgements": "IndexError: list index out of range",
    "trains_nothing": "wrote nothing",
    "trains_without_effect": "exactly as the untrained model does",
}
"""Likewise of trainers."""

HARMLESS = {
    "prints_everywhere": "stdout is ours",
    "prints_at_exit": "stdout is ours",
    "closes_stdout": "stdout is ours",
    "wraps_stdout": "stdout is ours",
    "changes_the_process": "it is put back",
    "constant": "all of its scores are the same",
    "rewrites_documents": "the texts are those of the request",
}
"""Wrong, but of no harm to anyone: the component → why its row may stand."""

COMPARED = ("state", "notes", "metrics", "diagnostics", "per_query", "failure")


@pytest.fixture(scope="module")
def rr(installed: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    forks = Forks(installed("rr_wrong"), tmp_path_factory.mktemp("wrong"))
    yield forks
    forks.close()


@pytest.fixture
def registry(small_registry: Path) -> Path:
    """The baselines alone: nothing that imports torch."""
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(text.partition("  bi-encoder:")[0], encoding="utf-8")
    return small_registry


def with_trainer(registry: Path, name: str) -> Path:
    """The registry with an entry that trains the scorer of that name with the trainer of that name."""
    entry = f"  {name}: {{scorer: {name}, trainer: {name}}}\n"
    path = registry.with_name("trained.yaml")
    path.write_text(registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    return path


class Benched:
    """What a bench of the baselines and one plugin printed, and wrote under `out`."""

    def __init__(self, rr: Forks, registry: Path, out: Path, plugin: str = "") -> None:
        self.out = out
        loaded = f"baselines,data,{plugin}" if plugin else "baselines,data"
        arguments = ("bench", "--all", "--registry", registry, "--out", out)
        self.ended = rr.run(*arguments, RR_PLUGINS=loaded, RR_HOME=str(out / "home"), RR_PLUGIN_TIMEOUT=TIMEOUT)
        assert (out / "bench.json").is_file(), self.ended.stderr
        result = json.loads((out / "bench.json").read_text(encoding="utf-8"))
        self.rows: dict[str, Any] = {row["reranker"]: row for row in result["datasets"][0]["rows"]}

    def baselines(self) -> dict[str, dict[str, Any]]:
        names = ("first-stage", "random", "bm25")
        return {name: {key: self.rows[name][key] for key in COMPARED} for name in names}


Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def baselines() -> Rows:
    return {}


@pytest.fixture
def expected(baselines: Rows, rr: Forks, registry: Path, tmp_path: Path) -> Rows:
    """What the baselines give without any plugin; measured once, for the data are the same in every case."""
    if not baselines:
        baselines.update(Benched(rr, registry, tmp_path / "alone").baselines())
    return baselines


def assert_failed(benched: Benched, name: str, reason: str, expected: Rows) -> None:
    row = benched.rows[name]
    assert reason in row["failure"]
    assert row["failure"].isprintable()
    assert row["metrics"] == {}
    assert benched.ended.code == 1, benched.ended.stderr
    assert "Traceback" not in benched.ended.stdout + benched.ended.stderr
    assert "FAILED" in benched.ended.stdout
    assert benched.baselines() == expected
    (kept,) = (benched.out / "failures" / "rooms").glob("*.txt")
    assert kept.stem == name
    assert kept.read_text(encoding="utf-8").count("\n") > 1


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(("name", "reason"), DISCOVERY.items())
def test_what_is_wrong_at_import_or_registration(
    rr: Forks, registry: Path, expected: Rows, tmp_path: Path, name: str, reason: str
) -> None:
    benched = Benched(rr, registry, tmp_path / "out", name)
    assert_failed(benched, name, reason, expected)
    assert f"plugin {name!r} of rr-wrong: " in benched.rows[name]["failure"]


def test_all_that_failed_is_listed_with_its_reason(rr: Forks, registry: Path) -> None:
    chosen = ",".join(["baselines", "exits_in_score", *DISCOVERY])
    listed = rr.run("list", "--json", "--registry", registry, RR_PLUGINS=chosen, RR_PLUGIN_TIMEOUT="0.3")
    assert listed.code == 1
    assert "Traceback" not in listed.stderr
    rows = {row["name"]: row["failure"] for row in json.loads(listed.stdout)}
    for name, reason in DISCOVERY.items():
        assert reason.replace("0.5 s", "0.3 s") in rows[name]
    assert [rows[name] for name in ("first-stage", "random", "bm25", "exits_in_score")] == [""] * 4


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(("name", "reason"), USE.items())
def test_what_is_wrong_at_load_or_while_it_scores(
    rr: Forks, registry: Path, expected: Rows, tmp_path: Path, name: str, reason: str
) -> None:
    benched = Benched(rr, registry, tmp_path / "out", name)
    assert_failed(benched, name, reason, expected)


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(("name", "reason"), TRAINING.items())
def test_what_is_wrong_while_it_trains(
    rr: Forks, registry: Path, expected: Rows, tmp_path: Path, name: str, reason: str
) -> None:
    benched = Benched(rr, with_trainer(registry, name), tmp_path / "out", name)
    assert_failed(benched, name, reason, expected)
    checkpoints = tmp_path / "out" / "home" / "checkpoints"
    assert not [one for one in checkpoints.glob("*") if not one.name.startswith(".")]


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(("name", "reason"), [*REFUSED.items(), *REFUSED_TRAINING.items()])
def test_what_the_gate_and_the_data_refuse(
    rr: Forks, registry: Path, expected: Rows, tmp_path: Path, name: str, reason: str
) -> None:
    if name in REFUSED_TRAINING:
        registry = with_trainer(registry, name)
    benched = Benched(rr, registry, tmp_path / "out", name)
    assert_failed(benched, name, reason, expected)


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_plugin_may_do_without_harm(
    rr: Forks, registry: Path, expected: Rows, tmp_path: Path, name: str
) -> None:
    benched = Benched(rr, registry, tmp_path / "out", name)
    assert benched.rows[name]["failure"] == ""
    assert benched.rows[name]["diagnostics"]["constant"] == float(name == "constant")
    assert benched.ended.code == 0, benched.ended.stderr
    assert benched.baselines() == expected
    assert "LOUD" not in benched.ended.stdout
    assert "bm25" in benched.ended.stdout
    answered = rr.run("rerank", name, "--registry", registry, "--input", requests_file(tmp_path), RR_PLUGINS=name)
    assert answered.code == 0, answered.stderr
    lines = [json.loads(line) for line in answered.stdout.splitlines()]
    assert [line["id"] for line in lines] == ["q0", "q1"]


def requests_file(folder: Path) -> Path:
    path = folder / "requests.jsonl"
    lines = [{"id": f"q{n}", "query": "phòng rẻ", "documents": ["phòng rẻ", "nhà"]} for n in range(2)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def assert_one_line(ended: Ended, *said: str) -> None:
    assert ended.code == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert all(words in ended.stderr for words in said), ended.stderr


@pytest.mark.attack("wrong plugin")
@pytest.mark.parametrize(
    ("name", "command", "said"),
    [
        ("exits_0_at_import", "rerank", "import failed: SystemExit: 0"),
        ("exits_at_load", "rerank", "cannot be loaded: SystemExit: 0"),
        ("exits_in_score", "rerank", "score failed: SystemExit: 0"),
        ("exits_in_rerank", "rerank", "rerank failed: SystemExit: 0"),
        ("settings_exit", "info", "settings cannot be checked: SystemExit: 0"),
        ("info_exits", "info", "Wrong.info: SystemExit: 0"),
        ("exits_in_training", "train", "training of 'exits_in_training' broke: SystemExit: 0"),
        ("exits_when_asked", "export", "Wrong.export: SystemExit: 0"),
        ("exits_when_asked", "config", "Trainer.read_config: SystemExit: 0"),
        ("exits_when_asked", "flags", "SystemExit: 0"),
        ("exits_when_asked", "verify", "Settings.reference(): SystemExit: 0"),
    ],
)
def test_asked_for_by_name_it_is_one_line_and_under_strict_the_cause_too(
    rr: Forks, registry: Path, tmp_path: Path, name: str, command: str, said: str
) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    arguments: dict[str, tuple[str | Path, ...]] = {
        "rerank": ("rerank", name, "--query", "phòng", "phòng rẻ"),
        "info": ("info", name, "--load"),
        "train": ("train", name, "-d", "rooms"),
        "config": ("train", name, "-d", "rooms", "--config", tmp_path / "config.json"),
        "flags": ("train", name, "-d", "rooms", "--depth", "2"),
        "export": ("export", name, tmp_path / "checkpoint", tmp_path / "exported"),
        "verify": ("info", name, "--verify", "--checkpoint", "none"),
    }
    path = with_trainer(registry, name) if command in ("train", "config", "flags", "export") else registry
    environment = {"RR_PLUGINS": f"baselines,data,{name}", "RR_HOME": str(tmp_path / "home")}
    if command == "export":
        made = rr.run("train", name, "-d", "rooms", "--registry", path, "--out", tmp_path / "checkpoint", **environment)
        assert made.code == 0, made.stderr
    ended = rr.run(*arguments[command], "--registry", path, **environment)
    if command == "verify":  # which has shown the settings by then
        assert ended.stderr.count("\n") == 1
        assert said in ended.stderr
    else:
        assert_one_line(ended, said)
    strict = rr.run(*arguments[command], "--registry", path, RR_STRICT="1", **environment)
    assert strict.code == 2
    assert f"{name}.py" in strict.stderr
    assert "SystemExit: 0" in strict.stderr
    assert strict.stderr.splitlines()[-1].startswith("error: ")


def test_the_list_shows_tracebacks_when_asked(rr: Forks, registry: Path) -> None:
    arguments = ("list", "--registry", registry)
    listed = rr.run(*arguments, "-v", RR_PLUGINS="baselines,raises_midway,exits_in_score")
    assert listed.code == 1
    assert "Traceback (most recent call last)" in listed.stdout
    assert "raises_midway.py" in listed.stdout
    listed = rr.run(*arguments, "--json", "--verbose", RR_PLUGINS="baselines,raises_midway,exits_in_score")
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert "raises_midway.py" in rows["raises_midway"]["traceback"]
    assert rows["exits_in_score"]["traceback"] == ""


def test_what_is_printed_at_import_does_not_reach_the_list(rr: Forks, registry: Path) -> None:
    listed = rr.run("list", "--json", "--registry", registry, RR_PLUGINS="baselines,prints_everywhere")
    assert "prints_everywhere" in {row["name"] for row in json.loads(listed.stdout)}
    for loud in ("print", "bytes", "original", "descriptor", "child", "thread"):
        assert f"LOUD {loud}" in listed.stderr


def test_a_plugin_that_takes_long_is_named_and_then_given_up(rr: Forks, registry: Path) -> None:
    chosen = "baselines,sleeps_at_import,target_is_missing"
    listed = rr.run("list", "--json", "--registry", registry, RR_PLUGINS=chosen, RR_PLUGIN_TIMEOUT="2.2")
    assert listed.code == 1
    assert listed.stderr == (
        "importing plugin 'sleeps_at_import' of rr-wrong takes long: 2 s so far, given up after 2.2 s "
        "(RR_PLUGIN_TIMEOUT)\n"
    )
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert "given up" in rows["sleeps_at_import"]["failure"]
    assert rows["target_is_missing"]["failure"] == ""  # the next one had all of its own time


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_limit_that_is_none_is_one_line(rr: Forks, registry: Path, value: str) -> None:
    ended = rr.run("list", "--registry", registry, RR_PLUGINS="baselines", RR_PLUGIN_TIMEOUT=value)
    assert_one_line(ended, f"RR_PLUGIN_TIMEOUT is {value!r}; give seconds above 0")
