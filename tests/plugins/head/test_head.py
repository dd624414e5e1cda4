"""The projection head: its loss against a loop written from the formula, its weights, its scores."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from rr import Dataset, Document, HardNegative, Query, Request, RerankError
from rr.evaluate.quality import ranking_quality
from rr.modeling.encoding import FrozenEncoder
from rr_head.loss import weighted_info_nce
from rr_head.model import HeadSettings, make_head
from rr_head.scorer import HeadScorer
from rr_head.trainer import HeadTrainer, HeadTraining, batch_loss, training_rows
from tests.plugins.conftest import equal_tensors
from tests.plugins.training import Observed, observe, values, without_test_split

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def loop_loss(
    queries: Tensor, positives: Tensor, negatives: Tensor, weights: Tensor, same: Tensor, tau: float
) -> Tensor:
    """The formula of S3.3, term by term, on float64."""

    def e(left: Tensor, right: Tensor) -> Tensor:
        return torch.exp(left @ right / tau)

    losses = []
    rows = range(len(queries))
    for i in rows:
        own = e(queries[i], positives[i])
        from_query = own + sum(e(queries[i], positives[j]) for j in rows if j != i and not same[i, j])
        from_query = from_query + sum(w * e(queries[i], n) for w, n in zip(weights[i], negatives[i], strict=True))
        losses.append(-torch.log(own / from_query))
        # p_i is no negative of a query that it answers too
        from_document = own + sum(e(positives[i], queries[j]) for j in rows if j != i and not same[j, i])
        from_document = from_document + sum(
            w * e(positives[i], n) for w, n in zip(weights[i], negatives[i], strict=True)
        )
        losses.append(-torch.log(own / from_document))
    return torch.stack(losses).mean()


def inputs(rows: int, width: int, seed: int = 0, duplicates: bool = True) -> Inputs:
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        return torch.nn.functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)

    weights = torch.rand(rows, width, generator=generator, dtype=torch.float64) * 4
    weights[torch.rand(rows, width, generator=generator) < 0.3] = 0  # padding
    same = torch.eye(rows, dtype=torch.bool)
    if duplicates:  # not symmetric: p_j may answer q_i while p_i does not answer q_j
        same |= torch.rand(rows, rows, generator=generator) < 0.3
    return unit(rows, 6), unit(rows, 6), unit(rows, width, 6), weights, same


CASES = [(1, 3), (2, 0), (2, 1), (5, 4), (8, 2)]


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_the_loss_equals_the_formula(rows: int, width: int, tau: float) -> None:
    made = inputs(rows, width, seed=rows)
    expected = loop_loss(*made, tau).item()
    assert weighted_info_nce(*made, tau).item() == pytest.approx(expected, abs=1e-6)
    single = tuple(value.float() if value.is_floating_point() else value for value in made)
    # float32 cosines carry an error of 1e-7, which the temperature divides
    assert weighted_info_nce(*single, tau).item() == pytest.approx(expected, abs=1e-6 / tau)


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0])
@pytest.mark.parametrize(("rows", "width"), CASES)
def test_the_gradient_equals_the_formulas(rows: int, width: int, tau: float) -> None:
    queries, positives, negatives, weights, same = inputs(rows, width, seed=rows)
    gradients = []
    for loss in (weighted_info_nce, loop_loss):
        leaves = [value.clone().requires_grad_() for value in (queries, positives, negatives)]
        loss(*leaves, weights, same, tau).backward()
        gradients.append([torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves])
    for ours, expected in zip(*gradients, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def test_the_gradient_passes_gradcheck() -> None:
    *vectors, weights, same = inputs(4, 3)
    leaves = [value.requires_grad_() for value in vectors]
    assert torch.autograd.gradcheck(lambda q, p, n: weighted_info_nce(q, p, n, weights, same, 0.07), leaves)


def test_with_weights_of_1_it_is_the_plain_symmetric_cross_entropy() -> None:
    queries, positives, negatives, weights, same = inputs(6, 3, duplicates=False)
    targets = torch.arange(6)
    expected = 0.0
    for anchors, others in ((queries, positives), (positives, queries)):
        hard = (anchors[:, None, :] * negatives).sum(-1)
        logits = torch.cat([anchors @ others.T, hard], dim=1) / 0.07
        expected += torch.nn.functional.cross_entropy(logits, targets).item() / 2
    loss = weighted_info_nce(queries, positives, negatives, torch.ones_like(weights), same, 0.07)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("cosine", [0.0, -0.5, 0.5])
def test_the_weight_multiplies_the_exponential_not_the_similarity(weight: float, cosine: float) -> None:
    """One row by hand. Scaling the similarity (the original's bug) would leave an orthogonal negative without any
    weight, and reward an opposite one for its weight."""
    anchor = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    negative = torch.tensor([[[cosine, math.sqrt(1 - cosine**2)]]], dtype=torch.float64)
    tau, same = 0.5, torch.ones(1, 1, dtype=torch.bool)
    loss = weighted_info_nce(anchor, anchor, negative, torch.tensor([[weight]], dtype=torch.float64), same, tau)
    expected = math.log(math.exp(1 / tau) + weight * math.exp(cosine / tau)) - 1 / tau
    assert loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.9])
def test_a_heavier_negative_costs_more_and_is_pushed_away_harder(cosine: float) -> None:
    anchor = torch.tensor([[1.0, 0.0]])
    losses, pushes = [], []
    for weight in (0.5, 1.0, 2.5):
        negative = torch.tensor([[[cosine, math.sqrt(1 - cosine**2)]]], requires_grad=True)
        loss = weighted_info_nce(anchor, anchor, negative, torch.tensor([[weight]]), torch.ones(1, 1).bool(), 0.5)
        loss.backward()
        assert negative.grad is not None
        losses.append(loss.item())
        pushes.append(negative.grad[0, 0, 0].item())
    assert losses == sorted(set(losses))
    assert pushes == sorted(set(pushes))
    assert min(pushes) > 0


def test_a_weight_of_0_is_no_negative_at_all() -> None:
    queries, positives, negatives, weights, same = inputs(4, 3)
    weights[:] = 1.5
    padded = torch.cat([weights, torch.zeros(4, 2, dtype=torch.float64)], dim=1)
    filler = torch.cat([negatives, positives[:, None].expand(4, 2, 6)], dim=1)
    assert weighted_info_nce(queries, positives, filler, padded, same, 0.07).item() == pytest.approx(
        weighted_info_nce(queries, positives, negatives, weights, same, 0.07).item(), abs=1e-12
    )


def test_a_row_without_any_negative_costs_nothing() -> None:
    queries, positives, negatives, weights, _ = inputs(3, 2)
    leaf = queries.clone().requires_grad_()
    everywhere = torch.ones(3, 3, dtype=torch.bool)
    loss = weighted_info_nce(leaf, positives, negatives, torch.zeros_like(weights), everywhere, 0.07)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_a_tiny_temperature_stays_finite_in_float32() -> None:
    queries, positives, negatives, weights, same = inputs(16, 4)
    made = [value.float() for value in (queries, positives, negatives, weights)]
    leaves = [value.requires_grad_() for value in made[:3]]
    loss = weighted_info_nce(*leaves, made[3], same, 0.001)  # e^1000 is no float
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves if leaf.grad is not None)


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
        for document, score in zip(request.candidates, scores, strict=True):
            told = weight @ plain.encode(document.content)
            assert score == pytest.approx(query @ told / np.linalg.norm(query) / np.linalg.norm(told), abs=1e-5)


def test_scores_do_not_depend_on_what_comes_along(sentence_encoder: Path, learnable: Dataset) -> None:
    requests = learnable.requests("test")
    together = HeadScorer(settings(sentence_encoder)).score(requests)
    for request, scores in zip(requests, together, strict=True):
        alone = HeadScorer(settings(sentence_encoder, batch_size=1)).score([request])[0]
        assert alone == pytest.approx(scores, abs=1e-5)


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
    before = ranking_quality(HeadScorer(settings(sentence_encoder)), learnable)
    after = ranking_quality(HeadScorer(settings(sentence_encoder), trained.folder), learnable)
    assert after == max(trained.qualities)
    assert after > max(before + 0.2, 0.8)


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
    batch_loss(encoder, head, learnable, training_rows(learnable, 3)[:8], 0.07).backward()  # type: ignore[no-untyped-call]
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


def test_a_batchs_loss_equals_the_formula_on_plain_embeddings(sentence_encoder: Path, learnable: Dataset) -> None:
    """With weights other than 1, rows of different widths, several positives of one query, and a document that
    answers two queries while the other's do not."""
    named = dict(learnable.hard_negatives)
    first, second, *_ = learnable.splits["train"]
    third = next(q for q in learnable.splits["train"][2:] if learnable.relevant(q) == learnable.relevant(first))
    named[first], named[second] = named[first][:1], ()
    bare = {q: () if q == second else ids for q, ids in learnable.candidates.items()}
    scores = {q: () if q == second else values for q, values in learnable.first_stage.items()}
    qrels = {**learnable.qrels, third: {min(learnable.relevant(first)): 1}}
    dataset = replace(learnable, qrels=qrels, hard_negatives=named, candidates=bare, first_stage=scores)
    rows = [row for row in training_rows(dataset, 3) if row.query_id in (first, second, third)]
    assert sorted({len(row.negatives) for row in rows}) == [0, 3]

    head = make_head(settings(sentence_encoder), 32, None)
    plain = plain_encoder(sentence_encoder)

    def embed(text: str) -> Tensor:
        vector = head.weight.detach().double() @ torch.tensor(plain.encode(text)).double()
        return vector / vector.norm()

    weights, negatives = torch.zeros(len(rows), 3, dtype=torch.float64), torch.zeros(len(rows), 3, 16).double()
    for i, row in enumerate(rows):
        for k, negative in enumerate(row.negatives):
            weights[i, k] = negative.weight
            negatives[i, k] = embed(dataset.documents[negative.document_id].content)
    same = torch.tensor([[b.positive in dataset.relevant(a.query_id) for b in rows] for a in rows])
    assert not torch.equal(same, same.T), "symmetric: the mask's direction is not tested"
    expected = loop_loss(
        torch.stack([embed(dataset.queries[row.query_id].text) for row in rows]),
        torch.stack([embed(dataset.documents[row.positive].content) for row in rows]),
        negatives,
        weights,
        same,
        TRAINING.temperature,
    )
    loss = batch_loss(FrozenEncoder(settings(sentence_encoder)), head, dataset, rows, TRAINING.temperature)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


def test_rows_are_every_positive_with_the_named_negatives_first(learnable: Dataset) -> None:
    rows = training_rows(learnable, 5)
    expected = {(q, id_) for q in learnable.splits["train"] for id_ in learnable.relevant(q)}
    assert len(rows) == len(expected)
    assert {(row.query_id, row.positive) for row in rows} == expected
    for row in rows:
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
    monkeypatch.setattr("rr_head.trainer.batch_loss", lambda *_: torch.empty(10**15))
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
