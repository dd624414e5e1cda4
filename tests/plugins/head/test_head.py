"""The projection head: its training, its weights, its scores."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from rr import Dataset, Document, HardNegative, Query, Request, RerankError, TrainingEvent
from rr.data import with_dev_share
from rr_head.batches import batch_of, training_rows
from rr_head.listings import ListingTask
from rr_head.model import initialise, make_head
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings, HeadTraining
from rr_head.trainer import HeadTrainer, info_nce
from rr_torch.encoding import FrozenEncoder
from tests.plugins.conftest import equal_tensors
from tests.plugins.head.test_loss import loop_loss
from tests.plugins.training import Observed, values, without_test_split
from tests.plugins.training import observe as observe_any


def observe(trainer: HeadTrainer, dataset: Dataset, folder: Path, qualities: Sequence[float] = ()) -> Observed:
    return observe_any(trainer, dataset, folder, qualities, measured_by="listing_quality")


def settings(folder: Path, **options: object) -> HeadSettings:
    return HeadSettings.model_validate({"model": str(folder), "max_seq_length": 64, "dimensions": 16, **options})


def plain_encoder(folder: Path) -> SentenceTransformer:
    encoder = SentenceTransformer(str(folder), device="cpu")
    encoder.max_seq_length = 64
    return encoder


def test_scores_equal_the_cosine_by_hand(sentence_encoder: Path, learnable: Dataset, trained: Observed) -> None:
    weight = load_file(trained.folder / "head.safetensors")["weight"].numpy()
    assert weight.shape == (16, 32)
    plain = plain_encoder(sentence_encoder)
    odd = Request(Query("q", ""), (Document("empty", ""), Document("long", "the falcon " * 9000, "a title")))
    requests = [*learnable.requests("dev"), odd]
    scorer = HeadScorer(settings(sentence_encoder), trained.folder)
    for request, scores in zip(requests, scorer.score(requests), strict=True):
        query = weight @ plain.encode(request.query.text)
        for document, score in zip(request.candidates, scores.values, strict=True):
            told = weight @ plain.encode(document.content)
            assert score == pytest.approx(query @ told / np.linalg.norm(query) / np.linalg.norm(told), abs=1e-5)


def test_scores_do_not_depend_on_what_comes_along(sentence_encoder: Path, learnable: Dataset) -> None:
    requests = learnable.requests("test")
    together = HeadScorer(settings(sentence_encoder)).score(requests)
    for request, scores in zip(requests, together, strict=True):
        alone = HeadScorer(settings(sentence_encoder, batch_size=1)).score([request])[0]
        assert alone.values == pytest.approx(scores.values, abs=1e-5)


def test_an_untrained_head_says_so(sentence_encoder: Path) -> None:
    info = HeadScorer(settings(sentence_encoder)).info
    frozen = sum(parameter.numel() for parameter in plain_encoder(sentence_encoder).parameters())
    assert (info.state, info.notes, info.scale) == ("untrained", ("random head",), "cosine")
    assert (info.parameters, info.trainable) == (frozen + 32 * 16, 32 * 16)


def test_a_random_head_comes_from_its_seed_alone(sentence_encoder: Path) -> None:
    first = make_head(settings(sentence_encoder), 32, None).weight
    state = torch.get_rng_state()
    torch.rand(5)
    assert torch.equal(make_head(settings(sentence_encoder), 32, None).weight, first)
    assert not torch.equal(make_head(settings(sentence_encoder, seed=1), 32, None).weight, first)
    torch.set_rng_state(state)


def test_a_random_head_keeps_lengths_on_average(sentence_encoder: Path) -> None:
    head = make_head(settings(sentence_encoder, dimensions=256), 384, None)
    vectors = torch.randn(200, 384, generator=torch.Generator().manual_seed(0))
    ratios = head(vectors).norm(dim=1) / vectors.norm(dim=1)
    assert ratios.mean().item() == pytest.approx(1, abs=0.05)


TRAINING = HeadTraining(epochs=20, batch_size=32, lr=3e-2, num_hard_negatives=3)


@pytest.fixture(scope="module")
def trained(sentence_encoder: Path, learnable: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    trainer = HeadTrainer(TRAINING, settings(sentence_encoder))
    return observe(trainer, learnable, tmp_path_factory.mktemp("trained") / "checkpoint")


def test_training_reports_every_step_and_every_epoch(trained: Observed, learnable: Dataset) -> None:
    steps = 20 * -(-len(training_rows(learnable, 3)) // 32)
    assert [event.step for event in trained.events if event.loss is not None] == list(range(1, steps + 1))
    assert {event.total for event in trained.events} == {steps}
    assert len(trained.qualities) == 20


def test_the_loss_falls_and_the_dev_split_is_ranked_better(
    trained: Observed, sentence_encoder: Path, learnable: Dataset
) -> None:
    assert sum(trained.losses[-3:]) < 0.7 * sum(trained.losses[:3])
    task = ListingTask(learnable, "dev")
    before = task.metrics(HeadScorer(settings(sentence_encoder)).embed)["nDCG@10"]
    after = task.metrics(HeadScorer(settings(sentence_encoder), trained.folder).embed)["nDCG@10"]
    assert after == pytest.approx(max(trained.qualities), abs=1e-9)
    assert after > before + 0.2


def test_a_checkpoint_scores_exactly_as_the_head_in_training_did(
    trained: Observed, sentence_encoder: Path, learnable: Dataset
) -> None:
    scorer = HeadScorer(settings(sentence_encoder), trained.folder)
    assert scorer.info.state == "trained"
    assert scorer.info.notes == ()
    for loaded, kept in zip(values(scorer.score(learnable.requests("dev"))), trained.kept, strict=True):
        # the encoder's own batches were others
        assert loaded == pytest.approx(kept, abs=1e-5)
    assert load_file(trained.folder / "head.safetensors").keys() == {"weight"}


def test_the_first_of_the_best_epochs_is_kept(sentence_encoder: Path, learnable: Dataset, tmp_path: Path) -> None:
    options = TRAINING.model_copy(update={"epochs": 4})
    trainer = HeadTrainer(options, settings(sentence_encoder))
    observed = observe(trainer, learnable, tmp_path / "out", qualities=(0.5, 0.9, 0.9, 0.1))
    loaded = values(HeadScorer(settings(sentence_encoder), observed.folder).score(learnable.requests("dev")))
    distances = [np.abs(np.subtract(loaded, answers)).max() for answers in observed.answers]
    assert distances[1] < 1e-5
    assert min(distances[0], *distances[2:]) > 1e-3


def test_a_warmup_is_not_ignored(trained: Observed, sentence_encoder: Path, learnable: Dataset, tmp_path: Path) -> None:
    trainer = HeadTrainer(TRAINING.model_copy(update={"warmup": 0.5}), settings(sentence_encoder))
    warmed = observe(trainer, learnable, tmp_path / "out")
    assert warmed.losses[0] == trained.losses[0]
    assert warmed.losses[1] != trained.losses[1], "the first step of a warm-up has a rate of 0"


def test_the_encoder_stays_as_it_was(trained: Observed, sentence_encoder: Path) -> None:
    module = trained.scorer._encoder.module
    assert equal_tensors(module.state_dict(), plain_encoder(sentence_encoder).state_dict())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert not module.training
    assert trained.scorer.info.trainable == 32 * 16


def test_only_the_head_has_a_gradient(sentence_encoder: Path, learnable: Dataset) -> None:
    encoder = FrozenEncoder(settings(sentence_encoder))
    head = make_head(settings(sentence_encoder), 32, None)
    batch = batch_of(encoder, head, training_rows(learnable, 3)[:8], cross_row=True)
    info_nce(batch, torch.tensor(0.07)).backward()  # type: ignore[no-untyped-call]
    assert head.weight.grad is not None
    assert head.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in encoder.module.parameters())


def test_training_repeats_itself_and_never_looks_at_the_test_split(
    trained: Observed, sentence_encoder: Path, learnable: Dataset, tmp_path: Path
) -> None:
    torch.rand(3)
    trainer = HeadTrainer(TRAINING, settings(sentence_encoder))
    again = observe(trainer, without_test_split(learnable), tmp_path / "again")
    assert again.losses == trained.losses
    weights = [load_file(run.folder / "head.safetensors") for run in (again, trained)]
    assert equal_tensors(*weights)


def twins(data: Dataset) -> Dataset:
    """The data with another document for every text, and with equal queries of different answers."""
    first, second, *_ = data.splits["train"]
    copies = {f"{id_}-copy": replace(document, id=f"{id_}-copy") for id_, document in data.documents.items()}
    queries = {**data.queries, second: replace(data.queries[second], text=data.queries[first].text)}
    answers = min(data.relevant(first))
    negatives = {**data.hard_negatives, first: (HardNegative(f"{answers}-copy"), *data.hard_negatives[first])}
    documents = {**data.documents, **copies}
    return replace(data, documents=documents, queries=queries, hard_negatives=negatives)


@pytest.mark.parametrize("cross_row", [False, True])
def test_a_batchs_loss_equals_the_formula_on_plain_embeddings(
    sentence_encoder: Path, learnable: Dataset, cross_row: bool
) -> None:
    """With weights other than 1, rows of different widths, several positives of one query, a document that answers two
    queries while the other's do not, equal queries, and documents that are equal but for their ids."""
    first, second, *_ = learnable.splits["train"]
    third = next(q for q in learnable.splits["train"][2:] if learnable.relevant(q) == learnable.relevant(first))
    named = dict(learnable.hard_negatives)
    named[first], named[second] = named[first][:1], ()
    bare = {q: () if q == second else ids for q, ids in learnable.candidates.items()}
    scores = {q: () if q == second else values for q, values in learnable.first_stage.items()}
    qrels = {**learnable.qrels, third: {f"{min(learnable.relevant(first))}-copy": 1}}
    dataset = twins(replace(learnable, hard_negatives=named, candidates=bare, first_stage=scores))
    dataset = replace(dataset, qrels=qrels, splits={**dataset.splits, "train": (first, second, third)})
    rows = training_rows(dataset, 3)
    assert sorted({len(row.negatives) for row in rows}) == [0, 3]

    head = make_head(settings(sentence_encoder), 32, None)
    plain = plain_encoder(sentence_encoder)

    def embed(text: str) -> Tensor:
        vector = head.weight.detach().double() @ torch.tensor(plain.encode(text)).double()
        return vector / vector.norm()

    def answers(query_id: str) -> set[str]:
        alike = [q for q in dataset.splits["train"] if dataset.queries[q].text == dataset.queries[query_id].text]
        return {dataset.documents[id_].content for q in alike for id_ in dataset.relevant(q)}

    weights, negatives = torch.zeros(len(rows), 3, dtype=torch.float64), torch.zeros(len(rows), 3, 16).double()
    foreign = torch.zeros(len(rows), len(rows), 3, dtype=torch.bool)
    for i, row in enumerate(rows):
        for k, negative in enumerate(row.negatives):
            text = dataset.documents[negative.document_id].content
            weights[i, k], negatives[i, k] = negative.weight, embed(text)
            for j, other in enumerate(rows):
                own = {dataset.documents[n.document_id].content for n in other.negatives}
                foreign[j, i, k] = j != i and text not in own | answers(other.query_id)
    same = torch.tensor([[b.positive in answers(a.query_id) for b in rows] for a in rows])
    assert not torch.equal(same, same.T), "symmetric: the mask's direction is not tested"
    assert 0 < foreign.sum() < foreign.numel() / 2
    expected = loop_loss(
        torch.stack([embed(dataset.queries[row.query_id].text) for row in rows]),
        torch.stack([embed(row.positive) for row in rows]),
        negatives,
        weights,
        same,
        TRAINING.temperature,
        foreign if cross_row else None,
    )
    batch = batch_of(FrozenEncoder(settings(sentence_encoder)), head, rows, cross_row)
    loss = info_nce(batch, torch.tensor(TRAINING.temperature))
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_listing_that_reads_like_a_positive_is_no_negative(learnable: Dataset) -> None:
    first, second, *_ = learnable.splits["train"]
    rows = {row.query_id: row for row in training_rows(twins(learnable), 4)}
    assert not set(rows[first].contents) & rows[first].relevant
    assert rows[first].relevant == rows[second].relevant
    assert len(rows[first].relevant) == len(learnable.relevant(first) | learnable.relevant(second))


def content(dataset: Dataset, id_: str) -> str:
    return dataset.documents[id_].content


def test_rows_are_every_positive_with_the_named_negatives_first(learnable: Dataset) -> None:
    rows = training_rows(learnable, 5)
    expected = {(q, id_) for q in learnable.splits["train"] for id_ in learnable.relevant(q)}
    assert len(rows) == len(expected)
    assert {(row.query_id, row.positive) for row in rows} == {(q, content(learnable, id_)) for q, id_ in expected}
    for row in rows:
        assert row.contents == [content(learnable, negative.document_id) for negative in row.negatives]
        assert tuple(row.negatives[:3]) == learnable.hard_negatives[row.query_id]
        assert [negative.weight for negative in row.negatives[3:]] == [1.0, 1.0]
        assert not {negative.document_id for negative in row.negatives} & learnable.relevant(row.query_id)


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_a_weight_that_cannot_be_is_an_error(learnable: Dataset, weight: float) -> None:
    query_id = learnable.splits["train"][0]
    negative = HardNegative(learnable.hard_negatives[query_id][0].document_id, weight=weight)
    broken = replace(learnable, hard_negatives={**learnable.hard_negatives, query_id: (negative,)})
    with pytest.raises(RerankError, match=f"{query_id}.*{negative.document_id}.* weighs {weight}"):
        training_rows(broken, 3)


def test_a_batch_without_room_is_not_halved(
    sentence_encoder: Path, learnable: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are each other's negatives: half of it would be another loss."""
    monkeypatch.setattr("rr_head.trainer.batch_of", lambda *_: torch.empty(10**15))
    tmp_path.joinpath("out").mkdir()
    with pytest.raises(RerankError, match="a batch of 32, which this loss needs whole; set a smaller batch_size"):
        HeadTrainer(TRAINING, settings(sentence_encoder)).train(learnable, tmp_path / "out", lambda _: None)


def test_training_without_hard_negatives_uses_those_in_the_batch(
    sentence_encoder: Path, learnable: Dataset, tmp_path: Path
) -> None:
    options = HeadTraining(epochs=1, batch_size=32, num_hard_negatives=0)
    assert observe(HeadTrainer(options, settings(sentence_encoder)), learnable, tmp_path / "out").losses


@pytest.mark.parametrize("change", [{"dimensions": 8}, {"max_seq_length": 32}])
def test_a_checkpoint_for_other_settings_is_refused(
    trained: Observed, sentence_encoder: Path, change: dict[str, int]
) -> None:
    with pytest.raises(RerankError, match=r"trained as .* loaded as .* train again or change the entry"):
        HeadScorer(settings(sentence_encoder, **change), trained.folder)


def test_a_checkpoint_of_another_encoder_is_refused(trained: Observed, sentence_encoder: Path, tmp_path: Path) -> None:
    """Of the same shape, so that only the encoder's fingerprint tells."""
    other = plain_encoder(sentence_encoder)
    with torch.no_grad():
        next(other.parameters())[0, 0] += 1
    other.save(str(tmp_path / "other"))
    with pytest.raises(RerankError, match=r"trained as .* train again or change the entry"):
        HeadScorer(settings(tmp_path / "other"), trained.folder)


def fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 over every parameter and every buffer, those that are not saved too."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    content = b"".join(name.encode() + tensor.detach().cpu().numpy().tobytes() for name, tensor in tensors.items())
    return hashlib.sha256(content).hexdigest()


def test_the_encoder_is_frozen_throughout(
    bert: Callable[..., Path], learnable: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder with dropout, which in train mode would give other vectors every time; looked at when it is made, at
    every step, and at the end."""
    folder = tmp_path / "encoder"
    SentenceTransformer(str(bert(None)), device="cpu").save(str(folder))
    made: list[FrozenEncoder] = []
    before: list[str] = []

    def check(encoder: FrozenEncoder, when: object) -> None:
        assert not any(module.training for module in encoder.module.modules()), when
        assert not any(parameter.requires_grad for parameter in encoder.module.parameters()), when
        assert fingerprint(encoder.module) == before[0], when

    def frozen_encoder(settings: HeadSettings) -> FrozenEncoder:
        made.append(FrozenEncoder(settings))
        before.append(fingerprint(made[0].module))
        check(made[0], "made")
        return made[0]

    monkeypatch.setattr("rr_head.trainer.FrozenEncoder", frozen_encoder)
    out = tmp_path / "out"
    out.mkdir()
    HeadTrainer(TRAINING.model_copy(update={"epochs": 2}), settings(folder)).train(
        learnable, out, lambda event: check(made[0], event)
    )
    check(made[0], "trained")
    assert len(made) == 1
    assert before[0] == fingerprint(FrozenEncoder(settings(folder)).module)
    query = learnable.queries[learnable.splits["train"][0]].text
    known = made[0]([query])
    assert torch.equal(known, made[0]([query]))
    torch.testing.assert_close(known, torch.tensor(plain_encoder(folder).encode([query])), atol=1e-5, rtol=0)


def test_best_and_last_are_saved_with_their_figures(sentence_encoder: Path, learnable: Dataset, tmp_path: Path) -> None:
    options = TRAINING.model_copy(update={"epochs": 3})
    trainer = HeadTrainer(options, settings(sentence_encoder))
    observed = observe(trainer, learnable, tmp_path / "out", qualities=(0.1, 0.9, 0.2))
    weights = {name: load_file(observed.folder / f"{name}.safetensors")["weight"] for name in ("head", "last")}
    assert not torch.equal(weights["head"], weights["last"])
    told = json.loads((observed.folder / "dev_metrics.json").read_text(encoding="utf-8"))
    assert told["targets"] == {}
    task, encoder = ListingTask(learnable, "dev"), FrozenEncoder(settings(sentence_encoder))
    for name, suffix in (("head", ""), ("last", " (last)")):
        weight = weights[name]
        expected = task.metrics(lambda texts, role, weight=weight: encoder(texts, role) @ weight.T)  # type: ignore[misc]
        assert expected.keys() >= {"MRR", "R@1", "nDCG@10", "accuracy", "accuracy price"}
        for measure, value in expected.items():
            assert told["metrics"][f"listings {measure}{suffix}"] == pytest.approx(value, abs=1e-6)
    assert len(told["metrics"]) == 2 * len(expected)


@pytest.mark.parametrize("name", ["MRR", "R@1", "nDCG@10"])
def test_the_dev_metric_is_the_one_that_is_asked_for(
    sentence_encoder: Path, learnable: Dataset, tmp_path: Path, name: str
) -> None:
    options = TRAINING.model_copy(update={"epochs": 2, "dev_metric": name})
    observed = observe(HeadTrainer(options, settings(sentence_encoder)), learnable, tmp_path / "out")
    told = json.loads((observed.folder / "dev_metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert told[f"listings {name}"] == pytest.approx(max(observed.qualities))
    assert {event.metric for event in observed.events if event.dev is not None} == {f"listings {name}"}
    assert told[f"listings {name} (last)"] == pytest.approx(observed.qualities[-1])


def test_a_dev_ratio_is_the_dev_split_of_the_training(
    sentence_encoder: Path, learnable: Dataset, tmp_path: Path
) -> None:
    options = TRAINING.model_copy(update={"epochs": 1, "dev_ratio": 0.5, "seed": 3})
    observed = observe(HeadTrainer(options, settings(sentence_encoder)), learnable, tmp_path / "out")
    cut = with_dev_share(learnable, 0.5, 3)
    assert cut.splits["test"] == learnable.splits["test"]
    assert len(cut.splits["dev"]) > len(learnable.splits["dev"])
    assert len(observed.losses) < 3  # of fewer rows
    head = HeadScorer(settings(sentence_encoder), observed.folder)
    expected = ListingTask(cut, "dev").metrics(head.embed)["nDCG@10"]
    assert observed.qualities == [pytest.approx(expected, abs=1e-6)]
    assert options.dev_split() == (0.5, 3)
    assert TRAINING.dev_split() is None


def test_a_learned_temperature_is_trained_bounded_saved_and_goes_on_after_a_kill(
    sentence_encoder: Path, learnable: Dataset, tmp_path: Path
) -> None:
    def temperature(folder: Path) -> float:
        return float(json.loads((folder / "head.json").read_text(encoding="utf-8"))["temperature"])

    def trained_with(name: str, **options: object) -> Observed:
        training = HeadTraining.model_validate({**TRAINING.model_dump(), "epochs": 2, **options})
        return observe(HeadTrainer(training, settings(sentence_encoder)), learnable, tmp_path / name)

    assert temperature(trained_with("fixed").folder) == 0.07
    learned = trained_with("learned", learn_temperature=True)
    assert temperature(learned.folder) not in (0.07, pytest.approx(0.07, rel=1e-4))
    assert HeadScorer(settings(sentence_encoder), learned.folder).info.state == "trained"
    # towards 0 as far as it may, by a rate that overshoots: an easy task wants it sharp
    sharp = trained_with("sharp", learn_temperature=True, temperature=0.011, lr=0.5, epochs=6)
    assert temperature(sharp.folder) >= 0.01 - 1e-9

    class KilledError(Exception):
        pass

    def kill(event: TrainingEvent) -> None:
        if event.step == 3 and event.loss is not None:
            raise KilledError

    options = {**TRAINING.model_dump(), "epochs": 2, "learn_temperature": True, "save_steps": 1}
    trainer = HeadTrainer(HeadTraining.model_validate(options), settings(sentence_encoder))
    (tmp_path / "killed").mkdir()
    with pytest.raises(KilledError):
        trainer.train(learnable, tmp_path / "killed", kill)
    trainer.train(learnable, tmp_path / "killed", lambda event: None)
    assert temperature(tmp_path / "killed") == temperature(learned.folder)
    assert (tmp_path / "killed" / "head.safetensors").read_bytes() == (learned.folder / "head.safetensors").read_bytes()


def test_a_learned_temperature_may_not_start_beyond_its_bound() -> None:
    with pytest.raises(ValidationError, match=r"a learned temperature starts at 0\.01 or above"):
        HeadTraining(temperature=0.001, learn_temperature=True)
    HeadTraining(temperature=0.001)


def test_an_orthogonal_start_distorts_nothing_within_its_subspace() -> None:
    for d_out in (16, 32, 40):
        head = torch.nn.Linear(32, d_out, bias=False)
        initialise(head, "orthogonal", 1, torch.empty(0, 32))
        singular = torch.linalg.svdvals(head.weight)
        assert torch.allclose(singular, singular[0].expand_as(singular), atol=1e-5)
        again = torch.nn.Linear(32, d_out, bias=False)
        initialise(again, "orthogonal", 1, torch.empty(0, 32))
        assert torch.equal(head.weight, again.weight)


def test_a_pca_start_keeps_the_encoders_cosines_best(sentence_encoder: Path, learnable: Dataset) -> None:
    vectors = FrozenEncoder(settings(sentence_encoder))(document.content for document in learnable.documents.values())

    def cosines(projected: Tensor) -> Tensor:
        unit = torch.nn.functional.normalize(projected, dim=-1)
        return unit @ unit.T

    lost = {}
    for how in ("random", "orthogonal", "pca"):
        head = make_head(settings(sentence_encoder), 32, None)
        initialise(head, how, 0, vectors)  # type: ignore[arg-type]
        lost[how] = (cosines(head(vectors)) - cosines(vectors)).abs().mean().item()
    assert lost["pca"] < 0.1 * min(lost["random"], lost["orthogonal"])
    with pytest.raises(RerankError, match="the encoder has 32 dimensions, fewer than 64"):
        initialise(torch.nn.Linear(32, 64, bias=False), "pca", 0, vectors)


def test_warmup_steps_take_the_place_of_the_share(sentence_encoder: Path, learnable: Dataset, tmp_path: Path) -> None:
    rates = []
    for name, options in (("steps", {"warmup_steps": 3}), ("share", {"warmup": 0.5})):
        training = HeadTraining.model_validate({**TRAINING.model_dump(), "epochs": 2, "batch_size": 32, **options})
        rates.append(observe(HeadTrainer(training, settings(sentence_encoder)), learnable, tmp_path / name).losses)
    assert len(rates[0]) == 6, "of six steps a half are three"
    assert rates[0] == rates[1]
    training = HeadTraining.model_validate({**TRAINING.model_dump(), "epochs": 2, "warmup_steps": 6})
    with pytest.raises(RerankError, match="warmup_steps 6: the training has 6 steps; lower it"):
        observe(HeadTrainer(training, settings(sentence_encoder)), learnable, tmp_path / "none")
