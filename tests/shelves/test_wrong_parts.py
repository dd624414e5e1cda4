"""The shelf of wrong plugins, trainers, readers and first stages: of each, the first bad outcome of the conformance kit
is the check that is meant for it; of right ones, none is bad."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from rr.testing import Outcome, Subject, run_checks, subject_of, subject_of_plugin
from tests.shelves import wrong_parts as parts

wrong = pytest.mark.attack("wrong plugin")


def first_bad(subject: Subject, *others: str) -> Outcome | None:
    """`others`: checks of these parts are passed over, since they are about something else."""
    from rr_bench.testing.asked import ask, checks_of

    outcomes = (ask(check, subject, {}) for check in checks_of(subject) if check.part not in others)
    return next((one for one in outcomes if one.bad), None)


def caught(subject: Subject, check: str, *others: str) -> None:
    found = first_bad(subject, *others)
    assert found is not None, "nothing is found wrong with it"
    assert found.check == check, found.message
    assert found.verdict == "failed", found.message


# plugins

RIGHT = """
import rr

@rr.hookimpl
def rr_register_scorers():
    return [rr.Component("right", "NAME_parts:Right", "Right", settings="NAME_settings:Right")]
"""
SETTINGS = '''
import rr

class Right(rr.Settings):
    size: int = 3
    """How many."""
'''
PARTS = """
import rr

class Right:
    info = rr.ModelInfo("rank")

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [[0.0] * len(request.candidates) for request in requests]
"""
HOOK = "\n@rr.hookimpl\ndef rr_register_scorers():\n    return "
ROW = '[rr.Component("right", "NAME_parts:Right", "Right")]'

AT_IMPORT = {
    "exits": ("raise SystemExit(0)", "plugin-is-imported"),
    "ends_the_process": ("import os; os._exit(0)", "plugin-is-imported"),
    "needs_what_is_not_there": ("import rr_nowhere", "plugin-is-imported"),
    "has_no_hook": ("del rr_register_scorers", "plugin-registers"),
    "registers_nothing": (HOOK + "[]", "plugin-registers"),
    "has_a_bad_name": (HOOK + '[rr.Component("A name", "NAME_parts:Right", "Right")]', "plugin-registers"),
    "needs_no_requirement": (HOOK + ROW.replace('"Right")', '"Right", requires=(">>1",))'), "plugin-registers"),
    "prints": ('print("hello")', "plugin-prints-nothing"),
    "warns": ('import warnings; warnings.warn("old")', "plugin-prints-nothing"),
    "imports_numpy": ("import numpy", "plugin-imports-nothing-heavy"),
    "sleeps": ("import time; time.sleep(2.1)", "plugin-is-imported-quickly"),
    "sets_a_variable": ('import os; os.environ["RIGHT"] = "1"', "plugin-changes-nothing"),
    "sets_up_logging": ("import logging; logging.basicConfig(level=10)", "plugin-changes-nothing"),
    "silences_warnings": ('import warnings; warnings.simplefilter("ignore")', "plugin-changes-nothing"),
    "changes_the_folder": ('import os; os.chdir("/")', "plugin-changes-nothing"),
    "seeds_chance": ("import random; random.seed(0)", "plugin-changes-nothing"),
    "starts_a_thread": (
        "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "plugin-changes-nothing",
    ),
    "connects": (
        "import socket\ntry: socket.create_connection(('127.0.0.1', 9), .1)\nexcept OSError: pass",
        "plugin-changes-nothing",
    ),
    "says_two_lines": (HOOK + ROW.replace('"Right")', '"Right\\nor not")'), "summaries-are-lines"),
    "says_nothing": (HOOK + ROW.replace('"Right")', '"")'), "summaries-are-lines"),
    "names_no_target": (HOOK + ROW.replace(":Right", ":Wrong"), "targets-fit"),
}
"""What is added to the right plugin's module → the check."""

IN_SETTINGS = {
    "heavy_settings": ("import numpy\n" + SETTINGS, "settings-import-nothing-heavy"),
    "settings_of_another_kind": ("class Right:\n    size = 3", "settings-are-sound"),
    "settings_without_a_word": (SETTINGS.replace('"""How many."""', ""), "settings-are-sound"),
    "default_of_no_kind": (
        SETTINGS.replace("import rr", "import rr\nfrom typing import Literal").replace(
            "size: int = 3", 'size: Literal["small", "large"] = "medium"'
        ),
        "settings-are-sound",
    ),
    "default_that_json_has_not": (
        SETTINGS.replace("import rr", "import rr\nfrom typing import Any").replace("int = 3", "Any = object()"),
        "settings-are-sound",
    ),
}
IN_PARTS = {
    "takes_no_checkpoint": PARTS.replace(", checkpoint=None", ""),
    "has_no_score": PARTS.replace("def score", "def rate"),
    "scores_later": PARTS.replace("def score", "async def score"),
    "scores_one_by_one": PARTS.replace("(self, requests)", "(self, query, document)"),
}


def plugin(folder: Path, name: str, module: str = RIGHT, settings: str = SETTINGS, code: str = PARTS) -> Subject:
    for suffix, text in {"": module, "_settings": settings, "_parts": code}.items():
        (folder / f"{name}{suffix}.py").write_text(text.replace("NAME", name), encoding="utf-8")
    return subject_of_plugin(EntryPoint(name, name, "rr.plugins"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_right_plugin(folder: Path) -> None:
    outcomes = list(run_checks(plugin(folder, "right_plugin")))
    assert {one.verdict for one in outcomes} == {"passed"}, outcomes


@wrong
@pytest.mark.parametrize("name", AT_IMPORT)
def test_plugins_that_are_wrong_at_import(folder: Path, name: str) -> None:
    code, check = AT_IMPORT[name]
    caught(plugin(folder, name, f"{RIGHT}\n{code}\n"), check)


@wrong
@pytest.mark.parametrize("name", IN_SETTINGS)
def test_plugins_with_wrong_settings(folder: Path, name: str) -> None:
    code, check = IN_SETTINGS[name]
    caught(plugin(folder, name, settings=code), check)


@wrong
@pytest.mark.parametrize("name", IN_PARTS)
def test_plugins_with_wrong_targets(folder: Path, name: str) -> None:
    caught(plugin(folder, name, code=IN_PARTS[name]), "targets-fit")


# trainers

CHECKPOINT = "trainer-writes-a-checkpoint"
TRAINERS = {
    parts.WritesNothing: CHECKPOINT,
    parts.RemovesItsFolder: CHECKPOINT,
    parts.Exits: CHECKPOINT,
    parts.WritesWhatNobodyLoads: CHECKPOINT,
    parts.TellsNothing: "trainer-tells-its-steps",
    parts.StepsFall: "trainer-tells-its-steps",
    parts.LossIsNan: "trainer-tells-its-steps",
    parts.TotalGrows: "trainer-tells-its-steps",
    parts.NamesNoMetric: "trainer-tells-its-steps",
    parts.NeverEvaluates: "trainer-tells-its-steps",
    parts.SelectsByAnother: "trainer-tells-its-steps",
    parts.LearnsNothing: "training-changes-scores",
    parts.DrawsFromTheProcess: "trainer-is-reproducible",
    parts.DrawsFromTheClock: "trainer-is-reproducible",
    parts.EditsDocuments: "trainer-leaves-data-alone",
    parts.SetsAVariable: "trainer-leaves-the-process-alone",
    parts.ChangesTheFolder: "trainer-leaves-the-process-alone",
    parts.LeavesAThread: "trainer-leaves-the-process-alone",
    parts.WritesBeside: "trainer-writes-into-its-folder-only",
    parts.WritesWhereItIs: "trainer-writes-into-its-folder-only",
    parts.LeavesTemporaryFiles: "trainer-writes-into-its-folder-only",
    parts.LearnsFromTest: "trainer-never-reads-test",
    parts.LearnsFromAllJudgements: "trainer-never-reads-test",
    parts.TrainsOnNothing: "trainer-refuses-no-train-queries",
    parts.DividesByNothing: "trainer-refuses-no-train-queries",
    parts.ForgetsItsStep: "trainer-goes-on-after-a-stop",
    parts.KeepsWeightsTooEarly: "trainer-goes-on-after-a-stop",
    parts.IgnoresInterrupts: "trainer-goes-on-after-a-stop",
    parts.LocksItsState: "trainer-survives-a-kill",
}
OTHERS = ("scorer",)


@pytest.mark.parametrize("trainer", [parts.OverlapTrainer, parts.StartsAnew], ids=lambda one: one.__name__)
def test_right_trainers(trainer: type[Any]) -> None:
    assert first_bad(subject_of(parts.Overlap, trainer=trainer), *OTHERS) is None


def test_a_trainer_that_no_other_process_finds_is_not_killed() -> None:
    class Local(parts.OverlapTrainer):
        pass

    outcomes = {one.check: one for one in run_checks(subject_of(parts.Overlap, trainer=Local))}
    assert outcomes["trainer-survives-a-kill"].verdict == "not applicable"
    assert outcomes["trainer-goes-on-after-a-stop"].verdict == "passed"


@wrong
@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda one: one.__name__)
def test_wrong_trainers(trainer: type[Any]) -> None:
    caught(subject_of(parts.Overlap, trainer=trainer), TRAINERS[trainer], *OTHERS)


@wrong
@pytest.mark.parametrize(
    ("scorer", "trainer"),
    [(parts.FollowsPointer, parts.PointsAtItself), (parts.DrawsWhenLoaded, parts.OverlapTrainer)],
)
def test_checkpoints_that_load_otherwise(scorer: type[Any], trainer: type[Any]) -> None:
    caught(subject_of(scorer, trainer=trainer), "checkpoint-loads-the-same", *OTHERS)


def test_the_process_is_as_it_was_after_all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    before, temporary = Path.cwd(), tempfile.tempdir
    first_bad(subject_of(parts.Overlap, trainer=parts.ChangesTheFolder), *OTHERS)
    first_bad(subject_of(parts.Overlap, trainer=parts.Exits), *OTHERS)
    assert (Path.cwd(), tempfile.tempdir) == (before, temporary)


# readers

COLLECTION = "reader-gives-a-collection"
READERS = {
    parts.GivesNoCollection: COLLECTION,
    parts.GivesNumbersAsIds: COLLECTION,
    parts.KeepsOtherForms: COLLECTION,
    parts.ShufflesDocuments: "reader-reads-the-same-twice",
    parts.ReadsOnce: "reader-reads-the-same-twice",
    parts.ForgetsAFile: "reader-names-its-files",
    parts.KeepsACache: "reader-names-its-files",
    parts.FailsAtTheMark: "reader-takes-other-line-ends",
    parts.KeepsReturns: "reader-takes-other-line-ends",
    parts.FailsWithoutTheFile: "reader-names-a-missing-file",
    parts.ReplacesBytes: "reader-names-a-wrong-byte",
    parts.SkipsBrokenRows: "reader-names-a-broken-row",
    parts.PassesJsonErrorsOn: "reader-names-a-broken-row",
    parts.NamesNoLine: "reader-names-a-broken-row",
    parts.LastOneWins: "reader-names-what-comes-twice",
}


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    """A folder for `Lines`, which is as it was when its reader has been checked."""
    documents = [{"id": f"d{n}", "text": f"văn bản {n} dài hơn"} for n in range(8)]
    queries = [{"id": f"q{n}", "text": f"câu hỏi {n}", "relevant": f"d{n}"} for n in range(8)]
    folder = tmp_path / "lines"
    folder.mkdir()
    for name, rows in (("documents", documents), ("queries", queries)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    table = "".join(f"{row['text']}\t{row['id']}\n" for row in documents)
    (folder / "documents.tsv").write_text(table, encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    yield folder
    assert {path: path.read_bytes() for path in before} == before


def test_a_right_reader(lines: Path) -> None:
    outcomes = list(run_checks(subject_of(parts.Lines, {"folder": lines})))
    assert {one.verdict for one in outcomes} == {"passed"}, outcomes


@wrong
@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.__name__)
def test_wrong_readers(lines: Path, reader: type[Any]) -> None:
    caught(subject_of(reader, {"folder": lines}), READERS[reader])


# first stages

RETRIEVERS = {
    parts.InventsDocuments: "retriever-finds",
    parts.ScoresNan: "retriever-finds",
    parts.FindsNothing: "retriever-finds",
    parts.DrawsScores: "retriever-finds-the-same-twice",
    parts.RemembersQueries: "retriever-finds-the-same-twice",
    parts.ScoresByPlace: "retriever-ignores-the-order",
    parts.CutsTies: "retriever-searches-as-it-scores",
    parts.SearchesOtherwise: "retriever-searches-as-it-scores",
    parts.SkipsQueries: "retriever-searches-as-it-scores",
    parts.LearnsInSecret: "retriever-says-whether-it-learns",
    parts.SaysThatItLearns: "retriever-says-whether-it-learns",
    parts.SaysMaybe: "retriever-says-whether-it-learns",
    parts.NeedsAWord: "retriever-takes-any-query",
    parts.EditsTheCorpus: "retriever-changes-nothing",
}


def test_a_right_retriever() -> None:
    outcomes = list(run_checks(subject_of(parts.Shared)))
    assert {one.verdict for one in outcomes} == {"passed"}, outcomes


@wrong
@pytest.mark.parametrize("retriever", RETRIEVERS, ids=lambda one: one.__name__)
def test_wrong_retrievers(retriever: type[Any]) -> None:
    state = random.getstate()
    caught(subject_of(retriever), RETRIEVERS[retriever])
    random.setstate(state)
