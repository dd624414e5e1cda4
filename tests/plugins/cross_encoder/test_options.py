"""What each training option changes, and what it must leave as it is."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rr import Dataset, RegistryError, RerankError, TrainingEvent
from rr.data.collection import with_dev_share
from rr.files import file_sha256
from rr.protocols import DEV_METRICS
from rr.registry.validation import validated
from rr.training.quality import ranking_quality
from rr_bench.cli.training import tell_dev_metrics
from rr_cross_encoder.dev_metrics import dev_metrics
from rr_cross_encoder.model import PairModel
from rr_cross_encoder.presets import PRESETS
from rr_cross_encoder.samples import Sample
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_cross_encoder.trainer import CrossEncoderTrainer, batch_loss, prepare_model, tokenised
from tests.conftest import ROOT, Rr
from tests.plugins.training import Observed, observe

Bert = Callable[..., Path]
WEIGHTS = "model.safetensors"

SHORT = {"epochs": 2, "batch_size": 16, "lr": 5e-3, "num_hard_negatives": 2, "evaluations": 2}


def scorer_settings(folder: Path) -> CrossEncoderSettings:
    return CrossEncoderSettings(model=str(folder), max_seq_length=64)


def trained(bert: Bert, dataset: Dataset, out: Path, **options: Any) -> Observed:
    trainer = CrossEncoderTrainer(CrossEncoderTraining(**{**SHORT, **options}), scorer_settings(bert(1)))
    return observe(trainer, dataset, out)


@pytest.fixture(scope="module")
def plain(bert: Bert, learnable: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return trained(bert, learnable, tmp_path_factory.mktemp("plain") / "out")


# settings


def settings_of(**options: Any) -> CrossEncoderTraining:
    return validated(CrossEncoderTraining, options, "training")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fp16": True, "bf16": True}, "'fp16' and 'bf16' exclude each other"),
        ({"loss": "listnet", "pos_weight": 3.0}, "'pos_weight' goes with loss: bce"),
        ({"pos_weight": 0}, "pos_weight: must be auto or a number above 0"),
        ({"pos_weight": "many"}, "pos_weight"),
        ({"dev_metric": "NDGC@10"}, "dev_metric: metric 'NDGC@10': no measure is called 'NDGC'; did you mean 'nDCG'?"),
        ({"preset": "fastest"}, "preset: Input should be 'fast', 'balanced', 'quality' or '15gb'"),
        ({"dev_ratio": 1.0}, "dev_ratio"),
        ({"hard_negatives_top_k": 3}, "unknown key 'hard_negatives_top_k'"),
    ],
)
def test_wrong_settings_are_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RegistryError, match=re.escape(said)):
        settings_of(**options)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_what_is_not_given(name: str) -> None:
    options = PRESETS[name]  # type: ignore[index]
    filled = settings_of(preset=name)
    assert {key: getattr(filled, key) for key in options} == options
    rest = {key: value for key, value in filled.model_dump().items() if key not in {*options, "preset"}}
    assert rest == {key: value for key, value in settings_of().model_dump().items() if key in rest}
    given = settings_of(preset=name, epochs=77, lr=1.0)
    assert given.model_dump() == {**filled.model_dump(), "epochs": 77, "lr": 1.0}


def test_the_table_of_presets_is_the_code() -> None:
    text = (ROOT / "plugins" / "rr_cross_encoder" / "README.md").read_text(encoding="utf-8")
    lines = text.split("## Presets")[1].split("##")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    defaults = settings_of()
    assert header == ["option", "default", *(f"`{name}`" for name in PRESETS)]
    shown = {row[0].strip("`"): row[1:] for row in rows}
    assert shown.keys() == {key for options in PRESETS.values() for key in options}
    for key, cells in shown.items():
        given = [json.dumps(options[key]) if key in options else "" for options in PRESETS.values()]
        assert cells == [json.dumps(getattr(defaults, key)), *given]


def test_float16_is_refused_on_a_cpu(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RerankError, match="fp16 needs a GPU"):
        trained(bert, learnable, tmp_path / "out", preset="15gb")


# memory and speed


@pytest.mark.parametrize("packed", [True, False])
def test_checkpointed_gradients_are_the_gradients(bert: Bert, packed: bool) -> None:
    """With dropout, which has to be drawn the same way again."""
    samples = [Sample("where is the lamp", ("falcon " * n, "the hammer"), (1.0, 0.0)) for n in (1, 9, 40)]
    found = []
    for checkpoint in (False, True):
        pairs = PairModel(scorer_settings(bert(1)), None)
        assert pairs.packs
        if not packed:
            pairs.model.set_attn_implementation("sdpa")
            pairs.packs = False
        if checkpoint:
            prepare_model(pairs.model, CrossEncoderTraining(gradient_checkpointing=True))
        pairs.model.train()
        calls: list[None] = []
        layer = pairs.model.bert.encoder.layer[0].attention.self
        layer.register_forward_hook(lambda *_, calls=calls: calls.append(None))
        torch.manual_seed(3)
        batch_loss(pairs, "listnet", tokenised(pairs, samples)).value.backward()  # type: ignore[no-untyped-call]
        assert len(calls) == 1 + checkpoint
        found.append({name: weight.grad for name, weight in pairs.model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=1e-7)


def test_checkpointing_and_accumulation_train_the_same(
    bert: Bert, learnable: Dataset, plain: Observed, tmp_path: Path
) -> None:
    done = trained(bert, learnable, tmp_path / "out", gradient_checkpointing=True)
    assert done.losses == pytest.approx(plain.losses, abs=1e-6)


def test_workers_tokenise_the_same(bert: Bert, learnable: Dataset, plain: Observed, tmp_path: Path) -> None:
    done = trained(bert, learnable, tmp_path / "out", dataloader_num_workers=1)
    assert done.losses == plain.losses
    assert file_sha256(done.folder / WEIGHTS) == file_sha256(plain.folder / WEIGHTS)


def test_bfloat16_trains_float32_weights(bert: Bert, learnable: Dataset, plain: Observed, tmp_path: Path) -> None:
    done = trained(bert, learnable, tmp_path / "out", bf16=True)
    assert done.losses != plain.losses
    assert done.losses[0] == pytest.approx(plain.losses[0], abs=0.05)
    assert {weight.dtype for weight in load_file(done.folder / WEIGHTS).values()} == {torch.float32}


def test_less_memory_than_the_batch_needs_is_found_out(
    bert: Bert, learnable: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a model without dropout, whose losses then are the same."""
    folder = bert(1, dropout=False)
    options = CrossEncoderTraining(**{**SHORT, "max_steps": 4})
    whole = observe(CrossEncoderTrainer(options, scorer_settings(folder)), learnable, tmp_path / "whole")
    logits = PairModel.logits

    def small(self: PairModel, batch: Any) -> torch.Tensor:
        if torch.is_grad_enabled() and len(batch) > 5:
            torch.empty(10**15)
        return logits(self, batch)

    monkeypatch.setattr(PairModel, "logits", small)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        halved = observe(CrossEncoderTrainer(options, scorer_settings(folder)), learnable, tmp_path / "halved")
    assert [str(warning.message).split(":")[0] for warning in told] == [
        f"out of memory at step 1 with a batch of {size}" for size in (16, 8)
    ]
    assert halved.losses == pytest.approx(whole.losses, abs=1e-5)


# losses and selection


@pytest.mark.parametrize("loss", ["lce", "listnet", "lambda", "ranknet"])
def test_listwise_losses_learn(bert: Bert, learnable: Dataset, tmp_path: Path, loss: str) -> None:
    before = ranking_quality(CrossEncoderScorer(scorer_settings(bert(1))), learnable)
    done = trained(bert, learnable, tmp_path / "out", loss=loss, batch_size=32, epochs=8)
    assert sum(done.losses[-5:]) < sum(done.losses[:5])
    assert max(done.qualities) > max(before + 0.2, 0.85)


@pytest.mark.parametrize(("frozen_layers", "moves"), [(0, 1e-5), (1, 0.0)])
def test_frozen_layers_stay_and_the_head_moves_at_its_own_rate(
    frozen_layers: int, moves: float, bert: Bert, learnable: Dataset, tmp_path: Path
) -> None:
    """The first step of AdamW moves a weight by its learning rate, whatever the gradient."""
    folder = bert(1)
    one_step = CrossEncoderTraining(
        max_steps=1, lr=1e-5, head_lr=1e-3, frozen_layers=frozen_layers, warmup=0.0, weight_decay=0.0
    )
    observed = observe(CrossEncoderTrainer(one_step, scorer_settings(folder)), learnable, tmp_path / "out")
    before, after = load_file(folder / WEIGHTS), load_file(observed.folder / WEIGHTS)
    moved = {name: (after[name] - before[name]).abs().max().item() for name in before}
    assert not any(value for name, value in moved.items() if "embeddings" in name)
    assert moved["bert.encoder.layer.0.output.dense.weight"] == pytest.approx(moves, rel=0.1)
    assert moved["bert.pooler.dense.weight"] == pytest.approx(1e-3, rel=0.1)
    assert moved["classifier.weight"] == pytest.approx(1e-3, rel=0.1)
    said = {event.trained for event in observed.events if event.loss is not None}
    assert said == {sum(after[name].numel() for name, value in moved.items() if value)}


def test_more_layers_than_there_are_cannot_be_frozen(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match="cannot freeze 99 layers"):
        trained(bert, learnable, tmp_path / "out", frozen_layers=99)


def test_dropout_can_be_left_out(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    """Then the loss of a step is the one that the plain model has in eval mode, as often as it is taken."""
    one = trained(bert, learnable, tmp_path / "one", dropout=0.0, max_steps=1)
    folder = bert(1, dropout=False)
    none = CrossEncoderTraining(**{**SHORT, "max_steps": 1})
    same = observe(CrossEncoderTrainer(none, scorer_settings(folder)), learnable, tmp_path / "same")
    assert one.losses == pytest.approx(same.losses, abs=1e-6)


def test_a_number_weighs_the_positives(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    """`auto` is 3 here: so many negatives has each positive."""
    same = trained(bert, learnable, tmp_path / "same", pos_weight=3.0, max_steps=2)
    auto = trained(bert, learnable, tmp_path / "auto", max_steps=2)
    other = trained(bert, learnable, tmp_path / "other", pos_weight=1.0, max_steps=2)
    assert same.losses == auto.losses
    assert other.losses[0] < 0.9 * auto.losses[0]


def test_the_dev_metric_selects(bert: Bert, learnable: Dataset, plain: Observed, tmp_path: Path) -> None:
    done = trained(bert, learnable, tmp_path / "out", dev_metric="MAP")
    scorer = CrossEncoderScorer(scorer_settings(bert(1)), done.folder)
    assert max(done.qualities) == pytest.approx(ranking_quality(scorer, learnable, name="MAP"), abs=1e-6)
    assert done.losses == plain.losses
    assert done.qualities != plain.qualities
    assert [{event.metric for event in one.events if event.dev is not None} for one in (done, plain)] == [
        {"MAP"},
        {"nDCG@10"},
    ]


def test_a_short_training_is_measured_after_every_step(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    done = trained(bert, learnable, tmp_path / "out", max_steps=3, evaluations=10)
    assert [event.step for event in done.events if event.dev is not None] == [0, 1, 2, 3]


def test_a_dev_ratio_is_the_dev_split_of_the_training(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    done = trained(bert, learnable, tmp_path / "out", dev_ratio=0.5, max_steps=2)
    cut = with_dev_share(learnable, 0.5, 0)
    assert len(cut.splits["dev"]) > len(learnable.splits["dev"])
    assert {len(answers) for answers in done.answers} == {len(cut.splits["dev"])}
    scorer = CrossEncoderScorer(scorer_settings(bert(1)), done.folder)
    told = json.loads((done.folder / "dev_metrics.json").read_text(encoding="utf-8"))
    assert told["metrics"] == pytest.approx(dev_metrics(scorer, cut)["metrics"], abs=1e-6)


# after a kill


@contextmanager
def stopping(step: int) -> Iterator[Callable[[TrainingEvent], None]]:
    def on_event(event: TrainingEvent) -> None:
        if event.step == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yield on_event


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "lambda", "bf16": True, "dev_ratio": 0.4, "dataloader_num_workers": 1, "relative_margin": 0.1},
    ],
    ids=["defaults", "all at once"],
)
def test_it_goes_on_bit_by_bit_from_the_state_before_a_damaged_one(
    bert: Bert, learnable: Dataset, tmp_path: Path, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings = CrossEncoderTraining(**{**SHORT, "max_steps": 9, "save_steps": 2, "batch_size": 32, **options})
    trainer = CrossEncoderTrainer(settings, scorer_settings(bert(1)))
    whole, again = tmp_path / "whole", tmp_path / "again"
    events: list[TrainingEvent] = []
    whole.mkdir()
    trainer.train(learnable, whole, events.append)
    again.mkdir()
    with stopping(8) as on_event:
        trainer.train(learnable, again, on_event)
    states = sorted(path.name for path in (again / "state").glob("state-*"))
    assert states == ["state-000000004.safetensors", "state-000000006.safetensors"]
    newest = again / "state" / states[1]
    newest.write_bytes(newest.read_bytes()[:-1])
    repeated: list[TrainingEvent] = []
    trainer.train(learnable, again, repeated.append)
    assert re.search(r"000000006.safetensors is damaged .*; going on from the state before", caplog.text)
    assert repeated == events
    for name in (WEIGHTS, "dev_metrics.json", "config.json"):
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name


# the command

ENTRY = """
  ranker:
    scorer: cross_encoder
    trainer: cross_encoder
    settings: {{model: {model}, max_seq_length: 64}}
    training: {{max_steps: 2, batch_size: 4, num_hard_negatives: 1, dev_metric: MAP, relative_margin: 0.1}}
"""


def test_the_command_tells_targets_and_notes(bert: Bert, small_registry: Path, rr_command: Rr) -> None:
    small_registry.write_text(
        small_registry.read_text(encoding="utf-8") + ENTRY.format(model=bert(1)), encoding="utf-8"
    )
    command = ("train", "ranker", "-d", "rooms", "--registry", small_registry)
    ended = rr_command(*command)
    assert ended.returncode == 0, ended.stderr
    folder = Path(ended.stdout.strip())
    told = json.loads((folder / "dev_metrics.json").read_text(encoding="utf-8"))
    figures = told["metrics"]
    said = ", ".join(
        f"{name} {figures[name]:.3f} > {goal} {'met' if figures[name] > float(goal) else 'missed'}"
        for name, goal in (("balanced_accuracy", "0.80"), ("margin", "0.40"))
    )
    assert f"targets on dev: {said}\n" in ended.stderr
    assert f"on dev: {', '.join(f'{name} {value:.3f}' for name, value in figures.items())}\n" in ended.stderr
    (note,) = told["notes"]
    assert note.startswith("hard negatives: ")
    assert f"\n{note}\n" in ended.stderr
    assert f"best dev MAP {figures['MAP']:.4f}" in ended.stderr


def test_any_trainer_may_leave_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / DEV_METRICS
    tell_dev_metrics(file)
    file.write_text(json.dumps({"metrics": {"purity": 0.5}, "notes": ["thin data"]}), encoding="utf-8")
    tell_dev_metrics(file)
    left = {"metrics": {"purity": 0.5}, "targets": {"purity": {"goal": 0.25, "met": True}}}
    file.write_text(json.dumps(left), encoding="utf-8")
    tell_dev_metrics(file)
    said = capsys.readouterr()
    figures = "on dev: purity 0.500\n"
    assert (said.out, said.err) == ("", f"{figures}thin data\n{figures}targets on dev: purity 0.500 > 0.25 met\n")
