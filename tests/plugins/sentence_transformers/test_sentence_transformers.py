"""The library's own `predict` and `encode` are the oracle: its scores, and what it says of them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer

from rr import Document, Query, Request, RerankError
from rr.errors import NoNumberError
from rr_sentence_transformers.files import kind_of
from rr_sentence_transformers.scorer import SentenceTransformersScorer
from rr_sentence_transformers.settings import SentenceTransformersSettings
from rr_torch.source import local_folder
from tests.plugins.conftest import MINILM
from tests.plugins.kit import passes_the_kit

Bert = Callable[..., Path]
TEXTS = ["the lamp is red", "a river " * 30, "phòng có gác lửng", ""]
QUERIES = ["where is the lamp", "river"]


def settings(model: Path | str, **options: object) -> SentenceTransformersSettings:
    return SentenceTransformersSettings.model_validate({"model": str(model), **options})


def requests() -> list[Request]:
    documents = tuple(Document(f"d{place}", text) for place, text in enumerate(TEXTS))
    return [Request(Query(str(place), query), documents[place:]) for place, query in enumerate(QUERIES)]


def scores(model: Path | str, **options: object) -> list[tuple[float, ...]]:
    return [answer.values for answer in SentenceTransformersScorer(settings(model, **options)).score(requests())]


def predicted(module: CrossEncoder, **options: object) -> list[list[float]]:
    return [
        module.predict([(r.query.text, d.content) for d in r.candidates], show_progress_bar=False, **options).tolist()
        for r in requests()
    ]


def close(found: list[tuple[float, ...]], expected: list[list[float]]) -> bool:
    return all(one == pytest.approx(other, abs=1e-5) for one, other in zip(found, expected, strict=True))


@pytest.fixture
def saved(bert: Bert, tmp_path: Path) -> Callable[..., Path]:
    """A CrossEncoder's own folder, with another activation function or prompts."""

    def save(**options: object) -> Path:
        folder = tmp_path / "saved"
        CrossEncoder(str(bert(1)), device="cpu", **options).save_pretrained(str(folder))  # type: ignore[arg-type]
        return folder

    return save


# cross-encoders


def test_a_cross_encoder_scores_as_the_library_predicts(bert: Bert) -> None:
    scorer = SentenceTransformersScorer(settings(bert(1)))
    assert (scorer.info.scale, scorer.info.state, scorer.info.precision) == ("probability", "pretrained", "float32")
    expected = predicted(CrossEncoder(str(bert(1)), device="cpu"))
    assert close([answer.values for answer in scorer.score(requests())], expected)
    logits = predicted(CrossEncoder(str(bert(1)), device="cpu"), activation_fn=torch.nn.Identity())
    for answer, values in zip(scorer.score(requests()), logits, strict=True):
        assert answer.ranked_by == pytest.approx(values, abs=1e-5)
    assert close(scores(bert(1), scale="logit"), logits)
    assert close(scores(bert(1), batch_size=1), expected)


def test_the_scale_is_that_of_its_activation_function(saved: Callable[..., Path]) -> None:
    folder = saved(activation_fn=torch.nn.Identity())
    scorer = SentenceTransformersScorer(settings(folder))
    assert scorer.info.scale == "logit"
    module = CrossEncoder(str(folder), device="cpu")
    assert close([answer.values for answer in scorer.score(requests())], predicted(module))
    chosen = SentenceTransformersScorer(settings(folder, scale="probability"))
    assert chosen.info.scale == "probability"


def test_a_scale_that_nothing_tells_is_asked_for(saved: Callable[..., Path]) -> None:
    folder = saved(activation_fn=torch.nn.Tanh())
    with pytest.raises(RerankError, match=r"activation function is Tanh.*; set scale: logit, or scale: probability"):
        SentenceTransformersScorer(settings(folder))
    assert SentenceTransformersScorer(settings(folder, scale="logit")).info.scale == "logit"


def test_prompts_are_the_library_s(saved: Callable[..., Path]) -> None:
    folder = saved(prompts={"web": "search: ", "law": "law: "}, default_prompt_name="web")
    module = CrossEncoder(str(folder), device="cpu")
    assert close(scores(folder), predicted(module))
    assert close(scores(folder, prompt_name="law"), predicted(module, prompt_name="law"))
    assert not close(scores(folder, prompt_name="law"), predicted(module))
    with pytest.raises(RerankError, match=r"has no prompt 'lw'; it has .*law.*web"):
        SentenceTransformersScorer(settings(folder, prompt_name="lw"))
    with pytest.raises(RerankError, match="one prompt a pair"):
        SentenceTransformersScorer(settings(folder, document_prompt_name="law"))


def test_what_is_cut_is_counted(bert: Bert) -> None:
    scorer = SentenceTransformersScorer(settings(bert(1), max_length=32))
    assert [answer.diagnostics["truncated"] for answer in scorer.score(requests())] == [1 / 4, 1 / 3]
    module = CrossEncoder(str(bert(1)), device="cpu", max_length=32)
    assert close([answer.values for answer in scorer.score(requests())], predicted(module))
    tokens = len(module.tokenizer("where is the lamp", "a river " * 30)["input_ids"])
    for limit, cut in ((tokens, 0), (tokens - 1, 1 / 4)):
        answer = SentenceTransformersScorer(settings(bert(1), max_length=limit)).score(requests()[:1])[0]
        assert answer.diagnostics["truncated"] == cut
    own = SentenceTransformersScorer(settings(bert(1)))
    long = Request(Query("q", "lamp"), (Document("d", "a river " * 1000),))
    assert own.score([long])[0].diagnostics["truncated"] == 1  # at its own limit, past which it has no positions


def test_a_head_that_nobody_trained_is_said_and_always_the_same(bert: Bert) -> None:
    scorer = SentenceTransformersScorer(settings(bert(None), kind="cross_encoder"))
    assert (scorer.info.state, scorer.info.notes) == ("untrained", ("random classifier",))
    assert [answer.values for answer in scorer.score(requests())] == scores(bert(None), kind="cross_encoder")


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (3, {}, "has 3 labels; a reranker needs one"),
        (1, {"max_length": 1024}, "max_seq_length 1024 is more than the 512 tokens"),
        (
            None,
            {},
            r"do not say what it is for \(it has no modules.json, and its architecture is BertModel\); set kind",
        ),
        (1, {"revision": "main"}, "is a folder, which has no revisions"),
        (1, {"trust_remote_code": True}, "trust_remote_code would run the Python code"),
    ],
)
def test_what_it_cannot_do_is_refused(bert: Bert, labels: int | None, options: dict[str, object], message: str) -> None:
    with pytest.raises(RerankError, match=message):
        SentenceTransformersScorer(settings(bert(labels), **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bi_encoder", "scale": "logit"}, "'scale' goes with kind: cross_encoder"),
        ({"kind": "cross_encoder", "document_prompt_name": "x"}, "goes with kind: bi_encoder"),
        ({"batch_size": 0}, "greater than 0"),
    ],
)
def test_settings_that_do_not_go_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings("x", **options)


def test_pickled_and_damaged_weights_are_refused(bert: Bert, tmp_path: Path) -> None:
    for name in ("pickled", "damaged"):
        shutil.copytree(bert(1), tmp_path / name)
    weights = load_file(tmp_path / "damaged" / "model.safetensors")
    weights["classifier.bias"][:] = float("nan")
    save_file(weights, tmp_path / "damaged" / "model.safetensors", {"format": "pt"})
    with pytest.raises(NoNumberError, match=r"classifier.bias holds NaN"):
        SentenceTransformersScorer(settings(tmp_path / "damaged"))
    (tmp_path / "pickled" / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(RerankError, match="has no weights in safetensors files"):
        SentenceTransformersScorer(settings(tmp_path / "pickled"))


def test_the_weights_are_in_the_key(bert: Bert, tmp_path: Path) -> None:
    shutil.copytree(bert(1), tmp_path / "own")
    before = settings(tmp_path / "own").weights()
    weights = load_file(tmp_path / "own" / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, tmp_path / "own" / "model.safetensors", {"format": "pt"})
    assert settings(tmp_path / "own").weights() != before


def test_half_precision_is_said(bert: Bert) -> None:
    scorer = SentenceTransformersScorer(settings(bert(1), dtype="bfloat16", scale="logit"))
    assert scorer.info.precision == "bfloat16"
    exact = scores(bert(1), scale="logit")
    for answer, values in zip(scorer.score(requests()), exact, strict=True):
        assert answer.values == pytest.approx(values, abs=0.1)


# bi-encoders


def cosines(folder: str, **options: str) -> list[list[float]]:
    module = SentenceTransformer(folder, device="cpu")
    found = []
    for request in requests():
        query = module.encode_query(request.query.text, prompt_name=options.get("prompt_name"), convert_to_tensor=True)
        texts = [document.content for document in request.candidates]
        named = options.get("document_prompt_name")
        documents = module.encode_document(texts, prompt_name=named, convert_to_tensor=True)
        found.append(torch.nn.functional.cosine_similarity(query[None], documents).tolist())
    return found


def test_the_real_minilm_scores_by_cosine() -> None:
    scorer = SentenceTransformersScorer(settings(MINILM))
    assert (scorer.info.scale, scorer.info.state, scorer.info.parameters) == ("cosine", "pretrained", 22_713_216)
    assert close([answer.values for answer in scorer.score(requests())], cosines(str(local_folder(MINILM))))


def test_prompts_of_a_bi_encoder(sentence_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(sentence_encoder, tmp_path / "own")
    config = tmp_path / "own" / "config_sentence_transformers.json"
    told = json.loads(config.read_text(encoding="utf-8"))
    told["prompts"] = {"query": "query: ", "passage": "passage: ", "law": "law: "}
    config.write_text(json.dumps(told), encoding="utf-8")
    folder = str(tmp_path / "own")
    assert close(scores(folder), cosines(folder))
    named = {"prompt_name": "law", "document_prompt_name": "law"}
    assert close(scores(folder, **named), cosines(folder, **named))
    assert not close(scores(folder, **named), cosines(folder))


def test_documents_that_are_cut_are_counted(sentence_encoder: Path) -> None:
    scorer = SentenceTransformersScorer(settings(sentence_encoder, max_length=32))
    assert [answer.diagnostics["truncated"] for answer in scorer.score(requests())] == [1 / 4, 1 / 3]


def test_pooling_that_its_files_do_not_name_is_said(bert: Bert, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        scorer = SentenceTransformersScorer(settings(bert(None), kind="bi_encoder"))
    assert scorer.info.notes == ("mean pooling, of which its files say nothing",)
    assert scorer.info.scale == "cosine"


def test_a_bi_encoder_without_some_weights_is_refused(sentence_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(sentence_encoder, tmp_path / "own")
    weights = load_file(tmp_path / "own" / "model.safetensors")
    del weights["embeddings.word_embeddings.weight"]
    save_file(weights, tmp_path / "own" / "model.safetensors", {"format": "pt"})
    with pytest.raises(RerankError, match=r"lacks weights .*word_embeddings"):
        SentenceTransformersScorer(settings(tmp_path / "own"))


# the kit


@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_a_cross_encoder_passes_the_kit(bert: Bert, scale: str) -> None:
    passes_the_kit(SentenceTransformersScorer, {"model": str(bert(1)), "scale": scale, "batch_size": 3})


def test_a_bi_encoder_passes_the_kit() -> None:
    passes_the_kit(SentenceTransformersScorer, {"model": MINILM})


def test_a_hub_out_of_reach_is_no_model_without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # as with HF_HUB_OFFLINE=1
    with pytest.raises(FileNotFoundError, match=r"'nobody/no-such-model' is no folder, .* or unset HF_HUB_OFFLINE"):
        kind_of("nobody/no-such-model", None)
