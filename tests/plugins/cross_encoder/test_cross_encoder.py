"""The cross-encoder against the plain transformers forward pass, one pair at a time."""

from __future__ import annotations

import functools
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from rr import Dataset, Document, Query, Request, RerankError
from rr.files import file_sha256
from rr.training.mining import mine
from rr.training.quality import ranking_quality
from rr_cross_encoder.model import MIN_DOCUMENT_TOKENS, PairModel
from rr_cross_encoder.samples import LabelledPair, labelled_pairs
from rr_cross_encoder.scorer import CrossEncoderScorer
from rr_cross_encoder.settings import CrossEncoderSettings, CrossEncoderTraining
from rr_cross_encoder.trainer import CrossEncoderTrainer
from rr_torch.source import local_folder
from tests.plugins.conftest import MINILM, equal_tensors
from tests.plugins.training import Observed, observe, values, without_test_split

Bert = Callable[..., Path]

LONG = ("the falcon offer is recommended by the guide, " * 2200)[:100_000]


def settings(folder: Path, **options: object) -> CrossEncoderSettings:
    return CrossEncoderSettings.model_validate({"model": str(folder), "max_seq_length": 64, **options})


@functools.cache
def plain_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def plain_ids(folder: Path, query: str, document: str, max_length: int) -> tuple[list[int], list[int]]:
    """[CLS] query [SEP] document [SEP] with the document's end left out, and the token types."""
    tokenizer = plain_tokenizer(folder)
    asked = tokenizer.encode(query, add_special_tokens=False).ids
    told = tokenizer.encode(document, add_special_tokens=False).ids
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    told = told[: max_length - len(asked) - 3]
    return [first, *asked, last, *told, last], [0] * (len(asked) + 2) + [1] * (len(told) + 1)


@torch.inference_mode()
def plain_logits(folder: Path, pairs: list[tuple[str, str]], max_length: int) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).eval()
    logits = []
    for query, document in pairs:
        ids, types = plain_ids(folder, query, document, max_length)
        output = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        logits.append(output.logits.item())
    return logits


def plain_scores(folder: Path, request: Request, max_length: int = 64) -> list[float]:
    return plain_logits(folder, [(request.query.text, document.content) for document in request.candidates], max_length)


def mixed_requests() -> list[Request]:
    generator = random.Random(0)
    words = ["falcon", "hammer", "pepper", "giường", "the", "guide", "2.5tr/th"]
    requests = []
    for number in range(4):
        texts = [" ".join(generator.choices(words, k=generator.choice((1, 5, 30, 90)))) for _ in range(5)]
        texts += ["0", LONG] if number == 1 else []
        documents = tuple(Document(f"d{place}", text) for place, text in enumerate(texts))
        requests.append(Request(Query(f"q{number}", " ".join(generator.choices(words, k=3 * number))), documents))
    return requests


@pytest.mark.parametrize("token_budget", [1, 150, 4096, 1_000_000])
def test_scores_equal_the_plain_forward_pass_however_they_are_batched(bert: Bert, token_budget: int) -> None:
    scorer = CrossEncoderScorer(settings(bert(1), token_budget=token_budget))
    for request, answer in zip(mixed_requests(), scorer.score(mixed_requests()), strict=True):
        assert answer.values == pytest.approx(plain_scores(bert(1), request), abs=1e-5)


def test_scores_do_not_depend_on_what_comes_along(bert: Bert) -> None:
    scorer, requests = CrossEncoderScorer(settings(bert(1))), mixed_requests()
    together = values(scorer.score(requests))
    assert len({round(value, 3) for answer in together for value in answer}) > 15, "all alike: this proves nothing"
    for request, answer in zip(requests, together, strict=True):
        assert scorer.score([request])[0].values == pytest.approx(answer, abs=1e-5)


def test_only_the_document_is_cut_and_it_is_counted(bert: Bert) -> None:
    query = "where is the lamp"
    documents = (Document("one", "lamp"), Document("long", LONG), Document("short", "the lamp"))
    (answer,) = CrossEncoderScorer(settings(bert(1))).score([Request(Query("q", query), documents)])
    assert answer.diagnostics == {"truncated": pytest.approx(1 / 3)}
    both = [Request(Query("whole", query), documents[::2]), Request(Query("cut", query), documents)]
    shares = [given.diagnostics["truncated"] for given in CrossEncoderScorer(settings(bert(1))).score(both)]
    assert shares == [0, pytest.approx(1 / 3)]
    encoded, cut = PairModel(settings(bert(1)), None).encode([(query, d.content) for d in documents])
    assert cut == [False, True, False]
    for row, document in zip(encoded, documents, strict=True):
        ids, types = plain_ids(bert(1), query, document.content, 64)
        assert (row["input_ids"], row["token_type_ids"]) == (ids, types)
    assert len(encoded[1]["input_ids"]) == 64


def test_a_document_that_just_fits_is_not_cut(bert: Bert) -> None:
    scorer = CrossEncoderScorer(settings(bert(1)))
    room = 64 - 1 - 3  # the query's one token, and three special ones
    documents = (Document("fits", "lamp " * room), Document("does not", "lamp " * (room + 1)))
    (answer,) = scorer.score([Request(Query("q", "lamp"), documents)])
    assert answer.diagnostics["truncated"] == 0.5


def test_an_empty_document_is_the_pairs_second_text_too(bert: Bert) -> None:
    request = Request(Query("q", "where is the lamp"), (Document("empty", ""), Document("d", "lamp")))
    (answer,) = CrossEncoderScorer(settings(bert(1))).score([request])
    assert answer.values == pytest.approx(plain_scores(bert(1), request), abs=1e-5)


@pytest.mark.parametrize("room", [-100, -1, 0, MIN_DOCUMENT_TOKENS - 2])
def test_a_query_that_leaves_no_room_is_an_error(bert: Bert, room: int) -> None:
    request = Request(Query("q", "lamp " * (64 - 3 - room)), (Document("d", LONG),))
    with pytest.raises(
        RerankError, match=r"leaves \d+ of max_seq_length 64 tokens to the document; raise max_seq_length"
    ):
        CrossEncoderScorer(settings(bert(1))).score([request])


@pytest.mark.parametrize("room", [0, MIN_DOCUMENT_TOKENS - 1])
def test_the_room_that_a_query_leaves_is_counted_right(bert: Bert, room: int) -> None:
    request = Request(Query("q", "lamp " * (64 - 3 - room)), (Document("d", LONG),))
    with pytest.raises(RerankError, match=f"leaves {room} of"):
        CrossEncoderScorer(settings(bert(1))).score([request])


def test_a_query_that_leaves_just_enough_room_is_none(bert: Bert) -> None:
    request = Request(Query("q", "lamp " * (64 - 3 - MIN_DOCUMENT_TOKENS)), (Document("d", LONG),))
    (answer,) = CrossEncoderScorer(settings(bert(1))).score([request])
    assert answer.values == pytest.approx(plain_scores(bert(1), request), abs=1e-5)


def test_the_tokenizer_files_own_padding_and_truncation_do_not_leak() -> None:
    folder = local_folder(MINILM)
    assert folder is not None
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert own.truncation["max_length"] == own.padding["length"] == 128, "MiniLM no longer has what is tested here"
    pairs = PairModel(CrossEncoderSettings(model=MINILM, max_seq_length=256), None)
    texts = [("lamp", "falcon"), ("lamp", "falcon " * 200), ("lamp", LONG), ("lamp", "pepper")]
    encoded, cut = pairs.encode(texts)
    assert [row["input_ids"] for row in encoded] == [plain_ids(folder, *text, 256)[0] for text in texts]
    assert [len(row["input_ids"]) for row in encoded] == [5, 204, 256, 5]
    assert cut == [False, False, True, False]
    again, _ = pairs.encode(texts[:2])
    assert again == encoded[:2], "a cut pair changes how the next ones are tokenized"


def test_a_base_without_a_head_says_so(bert: Bert) -> None:
    info = CrossEncoderScorer(settings(bert(None))).info
    assert (info.state, info.notes, info.scale) == ("untrained", ("random classifier",), "logit")


def test_a_base_with_its_one_logit_is_pretrained(bert: Bert) -> None:
    info = CrossEncoderScorer(settings(bert(1))).info
    plain = AutoModelForSequenceClassification.from_pretrained(bert(1))
    assert (info.state, info.notes) == ("pretrained", ())
    assert info.parameters == info.trainable == sum(parameter.numel() for parameter in plain.parameters())


def test_a_random_head_comes_from_its_seed_alone(bert: Bert) -> None:
    def answers(seed: int) -> list[object]:
        return values(CrossEncoderScorer(settings(bert(None), seed=seed)).score(mixed_requests()))  # type: ignore[return-value]

    first = answers(0)
    torch.rand(7)  # the caller's own randomness must not matter
    state = torch.get_rng_state()
    assert answers(0) == first
    assert answers(1) != first
    assert torch.equal(torch.get_rng_state(), state)


def test_a_base_with_several_labels_is_refused_clearly(bert: Bert) -> None:
    with pytest.raises(RerankError, match="label"):
        CrossEncoderScorer(settings(bert(3)))


def test_a_max_length_beyond_the_models_positions_is_refused(bert: Bert) -> None:
    request = Request(Query("q", "lamp"), (Document("d", LONG),))
    with pytest.raises(RerankError, match="max_seq_length"):
        CrossEncoderScorer(settings(bert(1), max_seq_length=1024)).score([request])


TRAINING = CrossEncoderTraining(
    epochs=3,
    batch_size=16,
    lr=5e-3,
    num_hard_negatives=2,
    num_random_negatives=1,
    eval_steps=None,  # and so after each epoch
    evaluations=None,
)


@pytest.fixture(scope="module")
def trained(bert: Bert, learnable: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Observed:
    trainer = CrossEncoderTrainer(TRAINING, settings(bert(None)))
    return observe(trainer, learnable, tmp_path_factory.mktemp("trained") / "checkpoint")


def test_training_reports_every_step_and_every_epoch(trained: Observed, learnable: Dataset) -> None:
    batches = [-(-len(pairs_of(learnable, TRAINING, epoch)) // 16) for epoch in range(3)]
    assert [event.step for event in trained.events if event.loss is not None] == list(range(1, sum(batches) + 1))
    assert {event.total for event in trained.events} == {sum(batches)}
    assert len(trained.qualities) == 3


def test_the_loss_falls_and_the_dev_split_is_ranked_better(trained: Observed, bert: Bert, learnable: Dataset) -> None:
    losses = trained.losses
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    before = ranking_quality(CrossEncoderScorer(settings(bert(None))), learnable)
    assert max(trained.qualities) > max(before + 0.2, 0.9)


def test_a_checkpoint_scores_exactly_as_the_model_in_training_did(
    trained: Observed, bert: Bert, learnable: Dataset
) -> None:
    scorer = CrossEncoderScorer(settings(bert(None)), trained.folder)
    assert values(scorer.score(learnable.requests("dev"))) == trained.kept
    assert scorer.info.state == "trained"
    assert scorer.info.notes == ()


def test_a_checkpoint_is_safetensors_and_loads_in_plain_transformers(
    trained: Observed, bert: Bert, learnable: Dataset
) -> None:
    assert not [file.name for file in trained.folder.iterdir() if file.suffix in (".bin", ".pt", ".pkl")]
    assert (trained.folder / "model.safetensors").is_file()
    requests = [*learnable.requests("dev")[:3], mixed_requests()[1]]
    scorer = CrossEncoderScorer(settings(bert(None)), trained.folder)
    for request, answer in zip(requests, scorer.score(requests), strict=True):
        assert answer.values == pytest.approx(plain_scores(trained.folder, request), abs=1e-5)


def test_training_repeats_itself_and_never_looks_at_the_test_split(
    trained: Observed, bert: Bert, learnable: Dataset, tmp_path: Path
) -> None:
    torch.rand(3)
    trainer = CrossEncoderTrainer(TRAINING, settings(bert(None)))
    again = observe(trainer, without_test_split(learnable), tmp_path / "again")
    assert again.losses == trained.losses
    weights = "model.safetensors"
    assert file_sha256(again.folder / weights) == file_sha256(trained.folder / weights)


def test_another_seed_trains_other_weights(trained: Observed, bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    other = TRAINING.model_copy(update={"seed": 1, "epochs": 1})
    seeded = observe(CrossEncoderTrainer(other, settings(bert(None))), learnable, tmp_path / "other")
    assert seeded.losses[0] != trained.losses[0]
    weights = "model.safetensors"
    assert not equal_tensors(load_file(seeded.folder / weights), load_file(trained.folder / weights))


def test_the_first_of_the_best_epochs_is_kept(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    options = TRAINING.model_copy(update={"epochs": 4})
    trainer = CrossEncoderTrainer(options, settings(bert(None)))
    observed = observe(trainer, learnable, tmp_path / "out", qualities=(0.5, 0.9, 0.9, 0.1))
    scorer = CrossEncoderScorer(settings(bert(None)), observed.folder)
    assert values(scorer.score(learnable.requests("dev"))) == observed.answers[1]
    assert observed.answers[1] not in (observed.answers[0], *observed.answers[2:])


def test_positives_weigh_as_much_as_negatives(bert: Bert, learnable: Dataset, tmp_path: Path) -> None:
    """The first loss, in one batch and without dropout, is the weighted cross-entropy by hand."""
    one_step = CrossEncoderTraining(epochs=1, batch_size=10_000, num_hard_negatives=3, num_random_negatives=2)
    folder = bert(1, dropout=False)
    observed = observe(CrossEncoderTrainer(one_step, settings(folder)), learnable, tmp_path / "out")
    rows = pairs_of(learnable, one_step, 0)
    positives = sum(label for _, _, label in rows)
    weight = (len(rows) - positives) / positives
    assert weight == 5
    logits = plain_logits(folder, [(query, text) for query, text, _ in rows], 64)
    losses = [
        weight * math.log1p(math.exp(-logit)) if label else math.log1p(math.exp(logit))
        for (_, _, label), logit in zip(rows, logits, strict=True)
    ]
    assert observed.losses == [pytest.approx(sum(losses) / len(rows), rel=1e-5)]


def pairs_of(dataset: Dataset, options: CrossEncoderTraining, epoch: int) -> list[LabelledPair]:
    return labelled_pairs(dataset, mine(dataset, options).pools, options, epoch)


def ids_of(dataset: Dataset, rows: list[tuple[str, str, float]]) -> list[tuple[str, str, float]]:
    queries = {query.text: id_ for id_, query in dataset.queries.items()}
    documents = {document.content: id_ for id_, document in dataset.documents.items()}
    return [(queries[query], documents[text], label) for query, text, label in rows]


def test_labelled_pairs_are_every_positive_with_its_negatives(learnable: Dataset) -> None:
    rows = ids_of(learnable, pairs_of(learnable, CrossEncoderTraining(num_hard_negatives=2), 0))
    positives = Counter((q, id_) for q, id_, label in rows if label == 1.0)
    assert positives == Counter((q, id_) for q in learnable.splits["train"] for id_ in learnable.relevant(q))
    negatives = [(q, id_) for q, id_, label in rows if label == 0.0]
    assert len(rows) == len(negatives) + len(positives)
    assert len(negatives) == 3 * len(positives)
    assert not [pair for pair in negatives if pair[1] in learnable.relevant(pair[0])]


def test_the_negatives_of_one_positive_are_distinct(learnable: Dataset) -> None:
    """With one positive a query, so that the rows of a query are those of the positive."""
    single = replace(learnable, qrels={q: {min(learnable.relevant(q)): 1} for q in learnable.qrels})
    options = CrossEncoderTraining(num_hard_negatives=8, num_random_negatives=30)
    rows = Counter(ids_of(single, pairs_of(single, options, 0)))
    assert max(rows.values()) == 1
    assert sum(rows.values()) == len(single.splits["train"]) * 39


def test_hard_negatives_come_from_the_hardest(learnable: Dataset) -> None:
    options = CrossEncoderTraining(num_hard_negatives=3, hard_neg_top_k=3, num_random_negatives=0)
    rows = ids_of(learnable, pairs_of(learnable, options, 0))
    for query_id in learnable.splits["train"]:
        named = {negative.document_id for negative in learnable.hard_negatives[query_id]}
        assert {id_ for q, id_, label in rows if q == query_id and not label} == named


def test_pairs_are_fresh_in_every_epoch_and_the_same_for_the_same_seed(learnable: Dataset) -> None:
    first = pairs_of(learnable, CrossEncoderTraining(), 0)
    assert pairs_of(learnable, CrossEncoderTraining(), 0) == first
    second = pairs_of(learnable, CrossEncoderTraining(), 1)
    assert sorted(second) != sorted(first)
    assert sorted(row for row in second if row[2]) == sorted(row for row in first if row[2])
    assert pairs_of(learnable, CrossEncoderTraining(seed=1), 0) != first


def test_nothing_but_positives_is_an_error(learnable: Dataset) -> None:
    options = CrossEncoderTraining(num_hard_negatives=0, num_random_negatives=0)
    with pytest.raises(RerankError, match="no negatives to train on"):
        pairs_of(learnable, options, 0)
