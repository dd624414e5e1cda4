"""`rr doctor` and what else tells its findings: `rr train`, `rr bench`; on real trainings of a plugin without torch."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rr import Evidence, Finding, RerankError, TrainingEvent
from rr.registry.plugins import installed_plugins
from rr_bench.cli.app import app
from rr_bench.doctor.diagnosis import CORE, RANKS, Diagnosis, diagnose, ordered
from rr_bench.doctor.evidence import of_path
from rr_bench.train.failures import failed_folder
from tests.bench import doctored_checks
from tests.bench.test_cli import failed
from tests.conftest import Rr
from tests.plugins.planted.planting import PHRASES, THINGS

# --- the order of findings


def found(**verdicts: str | tuple[str, ...]) -> dict[str, Finding]:
    """`a="fault"`, or with what it explains: `a=("warning", "b", "c")`."""
    told = {name: (value,) if isinstance(value, str) else value for name, value in verdicts.items()}
    return {name: Finding(verdict, name, explains=tuple(others)) for name, (verdict, *others) in told.items()}  # type: ignore[arg-type]


def order(**verdicts: str | tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, one.verdict) for name, one in ordered(found(**verdicts)).items()]


def test_the_worst_comes_first_and_equals_stay_as_they_were() -> None:
    assert order(a="ok", b="cannot tell", c="warning", d="fault", e="warning", f="fault", g="ok") == [
        ("d", "fault"),
        ("f", "fault"),
        ("c", "warning"),
        ("e", "warning"),
        ("b", "cannot tell"),
        ("a", "ok"),
        ("g", "ok"),
    ]


def test_a_cause_is_as_bad_as_what_it_explains_and_stands_before_it() -> None:
    assert order(a="fault", b=("warning", "a")) == [("b", "fault"), ("a", "fault")]
    assert order(a="warning", b=("fault", "a")) == [("b", "fault"), ("a", "warning")]
    assert order(a="fault", b="fault", c=("warning", "a")) == [("b", "fault"), ("c", "fault"), ("a", "fault")]


def test_causes_come_in_chains() -> None:
    assert order(a="fault", b=("warning", "a"), c=("warning", "b")) == [("c", "fault"), ("b", "fault"), ("a", "fault")]
    chain = {name: ("warning", after) for name, after in zip("bcdef", "abcde", strict=True)}
    for turned in (False, True):
        told = order(**dict(sorted({"a": "fault", **chain}.items(), reverse=turned)))
        assert told == [(name, "fault") for name in "fedcba"]


@pytest.mark.parametrize("length", [2, 3, 4])
def test_of_causes_in_a_circle_the_more_certain_is_the_cause(length: int) -> None:
    names = "abcd"[:length]
    circle = {name: ("warning", names[(place + 1) % length]) for place, name in enumerate(names)}
    told = order(**circle, z="fault")
    assert told == [("z", "fault"), *((name, "warning") for name in names)]
    as_bad = {name: ("fault", *others) for name, (_, *others) in circle.items()}
    assert order(**as_bad, z="fault")[:2] == [("a", "fault"), ("z", "fault")]  # it comes of nothing, and is certain
    assert order(y=("warning", "c"), **{**circle, "c": ("fault", "a", "b")})[0] == ("y", "fault")


def test_a_star_explains_all_that_is_bad_but_itself() -> None:
    assert order(a="fault", b="warning", c=("warning", "*"), d="ok", e="cannot tell") == [
        ("c", "fault"),
        ("a", "fault"),
        ("b", "warning"),
        ("e", "cannot tell"),
        ("d", "ok"),
    ]
    assert order(a=("warning", "*")) == [("a", "warning")]


def test_what_is_fine_explains_nothing() -> None:
    assert order(a="fault", b=("ok", "a"), c=("cannot tell", "*")) == [
        ("a", "fault"),
        ("c", "cannot tell"),
        ("b", "ok"),
    ]
    assert order(a=("fault", "b", "nobody"), b="ok") == [("a", "fault"), ("b", "ok")]
    assert ordered({}) == {}


NAMES = "abcdef"
ANY = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(list(RANKS)), st.lists(st.sampled_from([*NAMES, "*", "x"]), max_size=3)),
)


@given(ANY)
def test_ordering_loses_nothing_and_never_makes_milder(told: dict[str, tuple[Any, list[str]]]) -> None:
    before = {name: Finding(verdict, name, explains=tuple(others)) for name, (verdict, others) in told.items()}
    after = ordered(before)
    assert after.keys() == before.keys()
    ranks = [RANKS[one.verdict] for one in after.values()]
    assert ranks == sorted(ranks)
    for name, one in after.items():
        assert RANKS[one.verdict] <= RANKS[before[name].verdict]
        assert (one.evidence, one.explains) == (before[name].evidence, before[name].explains)
        if before[name].verdict in ("ok", "cannot tell"):
            assert one.verdict == before[name].verdict
    bad = {name for name, one in before.items() if one.verdict in ("fault", "warning")}
    if bad:
        assert min((before[n].verdict for n in bad), key=RANKS.__getitem__) == next(iter(after.values())).verdict


def test_a_diagnosis_says_what_leads() -> None:
    told = Diagnosis(ordered(found(a="ok", b="warning", c="fault")))
    assert told.verdict == "fault"
    assert told.line == "fault: c (c)"
    fine = Diagnosis(found(a="ok", b="cannot tell"))
    assert (fine.verdict, fine.leading, fine.line) == ("ok", None, "ok")
    assert Diagnosis(found(b="cannot tell")).verdict == Diagnosis({}).verdict == "cannot tell"


# --- commands to paste

PARTS = st.text(min_size=1, max_size=8).filter(lambda text: "\0" not in text)


@given(PARTS, PARTS, st.lists(PARTS, max_size=4))
def test_commands_are_read_as_they_were_meant(name: str, value: str, options: list[str]) -> None:
    evidence = Evidence(reranker=name, dataset="a data set", options=tuple(options))
    assert shlex.split(evidence.retrain(lr=2e-4, lora_r=16, model=value)) == [
        *("rr", "train", name, "-d", "a data set", "--lr", "0.0002", "--lora-r", "16", "--model", value),
        *options,
    ]
    assert shlex.split(evidence.command("doctor", value)) == ["rr", "doctor", value, *options]


def test_what_is_not_known_is_left_to_be_filled_in() -> None:
    assert Evidence().retrain(epochs=3) == "rr train NAME --epochs 3"
    files = ("--documents", "my files/d.jsonl", "--queries", "q.jsonl", "--queries", "more q.jsonl")
    assert Evidence(reranker="head", options=files).retrain() == (
        "rr train head --documents 'my files/d.jsonl' --queries q.jsonl --queries 'more q.jsonl'"
    )


def test_a_command_keeps_the_flags_that_it_does_not_change() -> None:
    flags = ("--batch-size=4", "--lr=1e-9", "--fp16", "--lora_r=2", "--registry", "own.yaml")
    told = Evidence(reranker="letters", dataset="films", options=flags).retrain(lr=2e-4, lora_r=16)
    assert told == "rr train letters -d films --lr 0.0002 --lora-r 16 --batch-size=4 --fp16 --registry own.yaml"


def test_a_command_names_no_setting_that_the_trainer_lacks() -> None:
    """Or it could not be pasted."""
    evidence = Evidence(reranker="own", dataset="d", training={"lr": 1.0}, settings={"model": "m"})
    assert evidence.retrain(lr=2, warmup=0.1, model="x", **{"settings.model": "y"}) == (
        "rr train own -d d --lr 2 --model x --settings.model y"
    )


ODD = ("auto", None, True, [1, 2], {"a": 1}, -1, 0, 1e308, "NaN")


@pytest.mark.parametrize("value", ODD, ids=str)
def test_a_trainer_may_call_anything_by_our_names(value: object) -> None:
    """What a setting of someone else's holds is no business of ours, and breaks no check."""
    names = ("lr", "epochs", "dropout", "max_grad_norm", "weight_decay", "temperature", "pos_weight", "candidates")
    names += ("lora_r", "lora_alpha", "max_seq_length", "title_tokens", "num_hard_negatives", "calibration", "warmup")
    steps = [
        TrainingEvent(n, 8, loss=1.0, trained=3, figures={"lr": 0.1, "gradient_norm": 2.0, "place 0": 9})
        for n in range(1, 9)
    ]
    dev = [TrainingEvent(n, 8, dev=0.5, metric="m", figures={"moved": 0.0, "probe_train": 1.0}) for n in (0, 4, 8)]
    odd = dict.fromkeys(names, value)
    evidence = Evidence("own", "d", "own:Scorer", "own:Trainer", odd, odd, (dev[0], *steps, *dev[1:]))
    found = diagnose(evidence, installed_plugins()).findings
    assert found["weights-did-not-move"].verdict == "fault"
    assert not [one for one in found.values() if "broke" in one.evidence]


# --- trainings


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs modules of these tests as distributions of someone else's, as pip would leave them."""

    def install(*names: str) -> None:
        site = tmp_path / "site"
        for name in names:
            folder = site / f"rr_{name}-1.0.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: rr-{name}\nVersion: 1.0\n", encoding="utf-8"
            )
            text = f"[rr.plugins]\n{name} = tests.bench.{name}\n"
            (folder / "entry_points.txt").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(site))
        installed_plugins.cache_clear()

    yield install
    monkeypatch.undo()
    installed_plugins.cache_clear()


@pytest.fixture
def registry(tmp_path: Path, plugin: Callable[..., None]) -> Path:
    """Of each thing there are cheap ones and dear ones: nothing but training tells which are wanted."""
    plugin("doctored")
    documents, queries, qrels = [], [], []
    for thing in THINGS:
        for kind in ("cheap", "a dear"):  # ids that begin with a: where scores are equal, these come first
            documents += [{"id": f"{kind} {thing} {n}", "text": f"{kind} {thing} in shop {n}"} for n in range(3)]
        for n, phrase in enumerate(PHRASES):
            queries.append({"id": f"{thing}-{n}", "text": f"{phrase} {thing}"})
            qrels += [{"query": f"{thing}-{n}", "document": f"cheap {thing} {k}"} for k in range(3)]
    folder = tmp_path / "topic files"
    folder.mkdir()
    for name, lines in {"documents": documents, "queries": queries, "qrels": qrels}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    files = ", ".join(f'{name}: "{folder}/{name}.jsonl"' for name in ("documents", "queries", "qrels"))
    path = tmp_path / "my registry.yaml"
    path.write_text(
        f"""
version: 1
default_profile: small
profiles: {{small: {{suite: small}}}}
suites:
  small:
    metrics: [nDCG@10]
    datasets:
      topics: {{reader: jsonl, options: {{{files}}}, candidates: {{depth: 12, protocol: oracle}}}}
rerankers:
  counter: {{scorer: counter, trainer: counter}}
  lazy: {{scorer: counter, trainer: counter, training: {{lr: 1.0e-12}}}}
  bare: {{scorer: counter, checkpoint: none}}
  bm25: {{scorer: bm25}}
  first-stage: {{reranker: first_stage}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def trains(rr_command: Rr, registry: Path) -> Callable[..., Any]:
    return lambda name, *words: rr_command("train", name, "-d", "topics", "--registry", registry, *words)


def next_of(text: str) -> list[str]:
    (line,) = re.findall(r"^next: (.+)$", text, flags=re.MULTILINE)
    return shlex.split(line)


def parses(words: Sequence[str]) -> None:
    """As the command line reads them."""
    import typer

    assert words[0] == "rr"
    group: Any = typer.main.get_command(app)
    context = group.make_context("rr", [words[1]])
    group.get_command(context, words[1]).make_context(words[1], list(words[2:]), parent=context)


def test_a_healthy_training_is_left_alone(trains: Any, rr_command: Rr, tmp_path: Path) -> None:
    ended = trains("counter", "--out", tmp_path / "mine")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^doctor: ok$", ended.stderr, flags=re.MULTILINE), ended.stderr
    assert "next:" not in ended.stderr
    asked = rr_command("doctor", tmp_path / "mine")
    assert asked.returncode == 0
    assert asked.stdout.splitlines()[0] == f"{tmp_path / 'mine'}: ok"
    assert re.search(r"^\d+ more checks found nothing wrong or could not tell; --all shows them$", asked.stdout, re.M)
    assert "weights-did-not-move" not in asked.stdout
    everything = rr_command("doctor", tmp_path / "mine", "--all")
    assert "weights-did-not-move" in everything.stdout
    assert "more checks" not in everything.stdout


def test_a_fault_is_told_with_what_to_do_next(trains: Any, rr_command: Rr, tmp_path: Path, registry: Path) -> None:
    ended = trains("lazy", "--out", tmp_path / "mine")
    assert ended.returncode == 2  # it scores as without a checkpoint
    asked = rr_command("doctor", tmp_path / "mine", "--registry", registry)
    assert asked.returncode == 1
    first, error, *_ = asked.stdout.splitlines()
    assert first == f"{tmp_path / 'mine'}: fault"
    assert error.startswith("the training ended with: ")
    assert "weights-did-not-move" in asked.stdout
    words = next_of(asked.stdout)
    parses(words)
    assert words[:5] == ["rr", "train", "lazy", "-d", "topics"]
    assert words[-2:] == ["--registry", str(registry)]
    assert asked.stdout.splitlines()[-1] == "read: rr doctor --explain weights-did-not-move"


def test_train_ends_with_the_doctors_line_and_the_next_command(trains: Any, tmp_path: Path, registry: Path) -> None:
    ended = trains("counter", "--out", tmp_path / "mine", "--epochs", "1", "--batch-size", "512", "--lr=-0.1")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^doctor: fault: steps \(\d steps\)$", ended.stderr, flags=re.MULTILINE), ended.stderr
    words = next_of(ended.stderr)
    parses(words)
    assert words[:5] == ["rr", "train", "counter", "-d", "topics"]
    assert ["--registry", str(registry)] == words[-2:]


def test_the_next_command_of_a_training_on_files_names_them(rr_command: Rr, registry: Path, tmp_path: Path) -> None:
    folder = tmp_path / "topic files"
    files = [w for n in ("documents", "queries", "qrels") for w in (f"--{n}_file", folder / f"{n}.jsonl")]
    more = ("--epochs", "1", "--batch-size", "512", "--lr=-0.1")
    ended = rr_command("train", "counter", *files, "--registry", registry, *more)
    assert ended.returncode == 0, ended.stderr
    words = next_of(ended.stderr)
    parses(words)
    assert all(str(word) in words for word in files)
    assert "-d" not in words


@pytest.mark.parametrize(
    ("fails", "leads", "text"),
    [
        ("error", None, "there is <nothing> to train"),
        ("crash", None, "ZeroDivisionError: by 0"),
        ("nan", "no-number", "the loss is nan at step 4"),
    ],
)
@pytest.mark.parametrize("asked_by", ["path", "folder", "name"])
def test_a_failed_training_is_asked_about_by_where_it_would_be(
    trains: Any, rr_command: Rr, tmp_path: Path, registry: Path, fails: str, leads: str | None, text: str, asked_by: str
) -> None:
    out = () if asked_by == "name" else ("--out", tmp_path / "mine")
    if asked_by == "name":
        registry.write_text(
            registry.read_text().replace("trainer: counter}", f"trainer: counter, training: {{fails: {fails}}}}}", 1)
        )
    ended = trains("counter", *out, *(() if asked_by == "name" else ("--fails", fails)))
    assert ended.returncode == 2
    assert text in ended.stderr
    assert "what was recorded tells more: rr doctor " in ended.stderr
    target: Any = {"path": tmp_path / "mine", "folder": failed_folder(tmp_path / "mine"), "name": "counter"}[asked_by]
    more = ("-d", "topics", "--registry", registry) if asked_by == "name" else ()
    asked = rr_command("doctor", target, "--json", *more)
    (told,) = json.loads(asked.stdout)
    assert text in told["error"]
    assert asked.returncode == (told["verdict"] == "fault")
    if leads is not None:
        assert told["findings"][0]["check"] == leads


def test_a_training_that_goes_on_is_asked_about(trains: Any, rr_command: Rr, tmp_path: Path) -> None:
    ended = trains("counter", "--out", tmp_path / "mine", "--fails", "interrupt")
    assert ended.returncode == 130
    asked = rr_command("doctor", tmp_path / "mine", "--all")
    assert asked.returncode in (0, 1)
    assert asked.stdout.startswith(f"{tmp_path / 'mine'}: ")
    assert "no-number" in asked.stdout


def test_names_are_asked_about_where_they_were_trained(rr_command: Rr, registry: Path, trains: Any) -> None:
    common = ("--registry", registry)
    failed(rr_command("doctor", "counter", *common), "'counter' was not trained on topics; name a data set with -d")
    failed(rr_command("doctor", "countr", *common), "countr", "counter")
    failed(rr_command("doctor", "counter", "-d", "topic", *common), "topic")
    untrained = rr_command("doctor", "counter", "-d", "topics", "--all", *common)
    assert untrained.stdout.startswith("counter on topics: "), untrained.stderr
    assert "collapsed" in untrained.stdout  # all its scores are 0
    assert trains("counter").returncode == 0
    for words in (("counter",), ("counter", "-d", "topics")):
        asked = rr_command("doctor", *words, *common)
        assert asked.returncode == 0, asked.stdout
        assert asked.stdout.startswith("counter on topics: ok\n")
    plain = rr_command("doctor", "bm25", "-d", "topics", *common)
    assert plain.stdout.startswith("bm25 on topics: ")


def test_bad_questions_are_one_line(rr_command: Rr, registry: Path, trains: Any, tmp_path: Path) -> None:
    common = ("--registry", registry)
    failed(rr_command("doctor"), "name a checkpoint's folder, a bench.json, or a reranker")
    failed(rr_command("doctor", "counter", "--overfit", *common), "--overfit trains: name the data set with -d")
    failed(rr_command("doctor", "bare", "--overfit", "-d", "topics", *common), "bare")
    failed(rr_command("doctor", tmp_path, "-d", "topics", *common), "is a path", "leave out -d")
    failed(rr_command("doctor", tmp_path / "nobody", *common), "nobody")
    failed(rr_command("doctor", "--explain", "nothing"), "no check is called 'nothing'")
    for word in (".", "..", "/", "", "/tmp/"):
        failed(rr_command("doctor", word, *common), "no checkpoint, and no failed training")
    (tmp_path / "page.html").touch()
    failed(rr_command("doctor", "counter", "--html", tmp_path / "page.html", *common), "page.html exists already")


def test_the_folder_one_stands_in_can_be_asked_about(
    trains: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trains("counter", "--out", "mine").returncode == 0
    assert trains("counter", "--out", "other", "--fails", "error").returncode == 2
    here = Path(".")  # noqa: PTH201 - as it is written
    monkeypatch.chdir(tmp_path / "mine")
    assert of_path(here).reranker == "counter"
    monkeypatch.chdir(failed_folder(tmp_path / "other"))
    assert of_path(here).error == "there is <nothing> to train"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RerankError, match="no checkpoint, and no failed training"):
        of_path(here)


def test_a_damaged_checkpoint_is_one_line(trains: Any, rr_command: Rr, tmp_path: Path) -> None:
    assert trains("counter", "--out", tmp_path / "mine").returncode == 0
    events = tmp_path / "mine" / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(whole[:-20])
    failed(rr_command("doctor", tmp_path / "mine"), "damaged checkpoint, events.jsonl is not the file")
    events.write_bytes(whole)
    (tmp_path / "mine" / "weights.json").unlink()
    failed(rr_command("doctor", tmp_path / "mine"), "weights.json is missing")
    (tmp_path / "mine" / "training_info.json").write_text("{")
    failed(rr_command("doctor", tmp_path / "mine"), "no checkpoint")


def test_json_holds_every_finding_in_order(trains: Any, rr_command: Rr, tmp_path: Path) -> None:
    trains("lazy", "--out", tmp_path / "mine")
    asked = rr_command("doctor", tmp_path / "mine", "--json")
    (told,) = json.loads(asked.stdout)
    assert told["about"] == str(tmp_path / "mine")
    assert told["verdict"] == "fault"
    ranks = [RANKS[one["verdict"]] for one in told["findings"]]
    assert ranks == sorted(ranks)
    assert told["findings"][0]["check"] == "weights-did-not-move"
    assert {*told["findings"][0]} == {"check", "verdict", "evidence", "meaning", "command"}
    assert {"ok", "fault"} <= {one["verdict"] for one in told["findings"]}


class Page(HTMLParser):
    """The names of elements, their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_self_contained_and_shows_the_chance_level(
    trains: Any, rr_command: Rr, tmp_path: Path, plugin: Callable[..., None]
) -> None:
    plugin("doctored_checks")
    trains("counter", "--out", tmp_path / "mine", "--fails", "error")
    asked = rr_command("doctor", tmp_path / "mine", "--html", tmp_path / "page.html")
    assert asked.returncode in (0, 1), asked.stderr
    assert f"wrote {tmp_path / 'page.html'}" in asked.stderr
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "nothing", "some"}
    assert "http" not in text
    assert not any(name in ("src", "href") for _, attributes in page.elements for name in attributes)
    assert "there is <nothing> to train" in page.text
    assert "there are <some>" in page.text
    assert html.escape("there are <some>") in text
    lines = [attributes for tag, attributes in page.elements if tag == "polyline"]
    assert sum("stroke-dasharray" in line for line in lines) == 1  # the chance level of the loss
    assert len(lines) >= 3
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in str(line["points"]).split()]
        assert points
        assert all(0 <= x <= 640 and 0 <= y <= 220 for x, y in points)


def test_a_page_of_figures_that_are_no_numbers_can_be_drawn(trains: Any, rr_command: Rr, tmp_path: Path) -> None:
    trains("counter", "--out", tmp_path / "mine", "--fails", "nan")
    assert rr_command("doctor", tmp_path / "mine", "--html", tmp_path / "page.html").returncode == 1
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r'points="[^"]*(nan|inf)', text)


# --- learning by heart


def test_what_can_learn_a_few_queries_by_heart_is_fine(rr_command: Rr, registry: Path) -> None:
    asked = rr_command("doctor", "counter", "-d", "topics", "--overfit", "--registry", registry)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.startswith("counter on topics: ok\n")
    assert "overfit" in asked.stdout
    lazy = rr_command("doctor", "lazy", "-d", "topics", "--overfit", "--registry", registry)
    assert lazy.returncode == 1, lazy.stdout + lazy.stderr
    parses(next_of(lazy.stdout))
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace("training: {lr: 1.0e-12}", 'training: {fails: "no chance"}'), encoding="utf-8")
    unknown = rr_command("doctor", "lazy", "-d", "topics", "--overfit", "--registry", registry)
    assert unknown.returncode == 0, unknown.stdout + unknown.stderr
    assert not (Path(os.environ["RR_HOME"]) / "checkpoints").exists()


# --- checks of plugins


def test_a_check_that_breaks_cannot_tell_and_the_others_stand(
    plugin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = diagnose(Evidence(), installed_plugins()).findings
    plugin("doctored_checks")
    told = diagnose(Evidence(), installed_plugins()).findings
    own = {name: one for name, one in told.items() if name not in without}
    assert set(own) == {"finds", *doctored_checks.BROKEN}
    assert {name: one for name, one in told.items() if name in without} == without
    assert own["finds"] == Finding("warning", "0 events", "there are <some>", "rr list", ("steps",))
    for name, text in {
        "raises": "check 'rr-doctored_checks/raises' broke: ZeroDivisionError: in the check",
        "exits": "check 'rr-doctored_checks/exits' broke: SystemExit",
        "junk": "check 'rr-doctored_checks/junk' answered 'all is well', which is no rr.Finding",
        "verdict": "check 'rr-doctored_checks/verdict' answered Finding(verdict='terrible'",
        "number": "check 'rr-doctored_checks/number' answered Finding(verdict='ok', evidence=5",
    }.items():
        assert own[name].verdict == "cannot tell"
        assert own[name].evidence.startswith(text)
    monkeypatch.setenv("RR_STRICT", "1")
    with pytest.raises(RerankError, match="raises' broke"):
        diagnose(Evidence(), installed_plugins())


def test_a_check_of_someone_else_leads_where_it_explains(
    trains: Any, plugin: Callable[..., None], tmp_path: Path
) -> None:
    plugin("doctored_checks")
    ended = trains("counter", "--out", tmp_path / "mine", "--epochs", "1", "--batch-size", "512", "--lr=-0.1")
    assert re.search(r"^doctor: fault: finds \(\d+ events\)$", ended.stderr, flags=re.MULTILINE), ended.stderr
    assert next_of(ended.stderr) == ["rr", "list"]


# --- ending early, and looking on


def test_a_hopeless_training_is_ended_early(trains: Any, rr_command: Rr, tmp_path: Path, registry: Path) -> None:
    ended = trains("lazy", "--out", tmp_path / "mine", "--stop-if", "fault")
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    told = re.fullmatch(r"error: stopped at step (\d+) of (\d+): (\S+), .+; next: (rr train lazy .+)", line)
    assert told, ended.stderr
    assert int(told[1]) < int(told[2])
    assert told[3] == "weights-did-not-move"
    parses(shlex.split(told[4]))
    assert not (tmp_path / "mine").exists()
    asked = rr_command("doctor", tmp_path / "mine", "--registry", registry)
    assert asked.returncode == 1
    assert "the training ended with: stopped at step" in asked.stdout
    assert "weights-did-not-move" in asked.stdout


@pytest.mark.parametrize("verdict", ["fault", "warning"])
def test_a_healthy_training_is_not_ended(trains: Any, tmp_path: Path, verdict: str) -> None:
    plain, watched = (
        trains("counter", "--out", tmp_path / "a"),
        trains("counter", "--out", tmp_path / "b", "--stop-if", verdict),
    )
    assert plain.returncode == watched.returncode == 0, watched.stderr
    assert (tmp_path / "a" / "weights.json").read_bytes() == (tmp_path / "b" / "weights.json").read_bytes()


@pytest.mark.parametrize("word", ["ok", "Fault", "cannot tell", ""])
def test_a_wrong_word_to_stop_at_is_one_line(trains: Any, word: str) -> None:
    failed(trains("counter", "--stop-if", word), f"--stop-if {word}: it is fault, or warning")


def test_observers_that_are_not_there_are_one_line(trains: Any, tmp_path: Path) -> None:
    failed(trains("counter", "--observe", "nobody"), "--observe nobody: there is no such observer")
    failed(trains("counter", "--observe", "tensorbord"), "did you mean 'tensorboard'?")
    for name in ("tensorboard", "trackio", "wandb"):
        if find_spec(name) is None:
            failed(
                trains("counter", "--observe", name, "--out", tmp_path / "mine"),
                f"--observe {name} needs {name}; install with: pip install 'rerank-registry[{name}]'",
            )
    assert not (tmp_path / "mine").exists()


# --- rows of a bench


@pytest.fixture
def benched(rr_command: Rr, registry: Path, tmp_path: Path) -> Any:
    def bench(*words: str) -> Any:
        out = tmp_path / f"out{len(words)}"
        ended = rr_command("bench", "counter", "bare", "bm25", "--registry", registry, "--out", out, *words)
        assert ended.returncode == 0, ended.stderr
        return ended, out, json.loads((out / "bench.json").read_text(encoding="utf-8"))

    return bench


def rows_of(result: Mapping[str, Any]) -> dict[str, Any]:
    return {row["reranker"]: row for row in result["datasets"][0]["rows"]}


def test_a_row_carries_what_the_doctor_says(benched: Any, rr_command: Rr) -> None:
    _, out, result = benched()
    rows = rows_of(result)
    assert rows["counter"]["verdict"] == "ok"
    assert rows["bare"]["verdict"] == "fault"
    first = rows["bare"]["findings"][0]
    assert (first["check"], first["verdict"]) == ("collapsed", "fault")
    assert {one["check"] for one in rows["counter"]["findings"]} <= {
        *CORE,
        *(c.component.name for c in installed_plugins().of_kind("check")),
    }
    (line,) = [
        line for line in (out / "bench.md").read_text(encoding="utf-8").splitlines() if line.startswith("| bare")
    ]
    assert f"doctor: fault, collapsed: {first['evidence']}" in line
    with (out / "bench.csv").open(encoding="utf-8", newline="") as file:
        by_name = {row["reranker"]: row for row in csv.DictReader(file)}
    assert by_name["counter"]["verdict"] == "ok"
    assert by_name["counter"]["findings"] == ""
    assert f"fault: collapsed: {first['evidence']}" in by_name["bare"]["findings"]

    asked = rr_command("doctor", out / "bench.json")
    assert asked.returncode == 1
    titles = re.findall(r"^(\S+ on topics): (.+)$", asked.stdout, flags=re.MULTILINE)
    assert dict(titles) == {f"{name} on topics": row["verdict"] for name, row in rows.items()}
    told = json.loads(rr_command("doctor", out / "bench.json", "--json").stdout)
    assert [one["findings"] for one in told] == [row["findings"] for row in result["datasets"][0]["rows"]]


def test_findings_of_folds_say_of_which_they_are(benched: Any) -> None:
    _, _, result = benched("--folds", "2")
    bare = rows_of(result)["bare"]
    assert bare["verdict"] == "fault"
    assert {one["evidence"].split(":")[0] for one in bare["findings"]} == {"fold 1", "fold 2"}
    ranks = [RANKS[one["verdict"]] for one in bare["findings"]]
    assert ranks == sorted(ranks)


WRONG: dict[str, Callable[[Any], Any]] = {
    "a list": lambda _: [],
    "a text": lambda _: "bench",
    "null": lambda _: None,
    "another object": lambda _: {"a": 1},
    "data sets that are none": lambda _: {"datasets": 7},
    "rows that are none": lambda result: {**result, "datasets": [{"name": "a", "rows": ["x"]}]},
    "an older version": lambda result: strip(result, "findings"),
    "without diagnostics": lambda result: strip(result, "diagnostics"),
    "findings that are none": lambda result: changed(result, lambda one: None),
    "a verdict that is none": lambda result: changed(result, lambda one: {**one, "verdict": "terrible"}),
    "a verdict of another type": lambda result: changed(result, lambda one: {**one, "verdict": ["fault"]}),
    "evidence that is none": lambda result: changed(result, lambda one: {**one, "evidence": 5}),
    "a command that is none": lambda result: changed(result, lambda one: {**one, "command": None}),
    "a check without a name": lambda result: changed(result, lambda one: {**one, "check": None}),
}


def strip(result: Any, name: str) -> Any:
    return over_rows(result, lambda row: {key: value for key, value in row.items() if key != name})


def changed(result: Any, change: Callable[[Any], Any]) -> Any:
    return over_rows(result, lambda row: {**row, "findings": [change(one) for one in row["findings"]]})


def over_rows(result: Any, change: Callable[[Any], Any]) -> Any:
    return {
        **result,
        "datasets": [{**data, "rows": [change(row) for row in data["rows"]]} for data in result["datasets"]],
    }


def test_any_other_json_is_one_line(benched: Any, rr_command: Rr, tmp_path: Path) -> None:
    _, out, result = benched()
    file = tmp_path / "other.json"
    for case, change in WRONG.items():
        file.write_text(json.dumps(change(result)), encoding="utf-8")
        ended = rr_command("doctor", file)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), (case, ended.stderr, ended.stdout)
        assert "no result of rr bench that holds findings" in ended.stderr, case
    for data in (b"", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 100_000):
        file.write_bytes(data)
        failed(rr_command("doctor", file), "other.json")
    shutil.copy(out / "bench.json", file)
    assert rr_command("doctor", file).returncode == 1
