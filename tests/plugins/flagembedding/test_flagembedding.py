"""FlagEmbedding's own rerankers are the oracle, and for the LLM a plain forward pass written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
import torch
from FlagEmbedding import FlagLLMReranker, FlagReranker
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import Document, Query, Request, RerankError
from rr_flagembedding.scorer import LIBRARY_PROMPT, FlagEmbeddingScorer
from rr_flagembedding.settings import FlagEmbeddingSettings
from rr_letters.base import tiny_base
from tests.plugins.kit import passes_the_kit

Bert = Callable[..., Path]
TEXTS = ["the lamp is red", "a river " * 60, "phòng có gác lửng", ""]


def settings(model: Path, **options: object) -> FlagEmbeddingSettings:
    return FlagEmbeddingSettings.model_validate({"model": str(model), "max_length": 64, **options})


def asked(query: str = "where is the lamp") -> Request:
    return Request(Query("q", query), tuple(Document(f"d{place}", text) for place, text in enumerate(TEXTS)))


def own_scores(library: FlagReranker | FlagLLMReranker) -> list[float]:
    pairs = [(asked().query.text, text) for text in TEXTS]
    with redirect_stderr(StringIO()):
        return [float(library.compute_score([pair])[0]) for pair in pairs]


def test_flag_reranker_scores_as_itself(bert: Bert, capfd: pytest.CaptureFixture[str]) -> None:
    bert(1)  # which is made, and tells of it
    capfd.readouterr()
    scorer = FlagEmbeddingScorer(settings(bert(1)))
    answer = scorer.score([asked()])[0]
    assert capfd.readouterr() == ("", "")
    library = FlagReranker(str(bert(1)), use_fp16=False, devices="cpu", max_length=64)
    assert answer.values == pytest.approx(own_scores(library), abs=1e-5)
    assert answer.diagnostics == {"truncated": 1 / 4}
    assert (scorer.info.scale, scorer.info.state) == ("logit", "pretrained")
    probable = FlagEmbeddingScorer(settings(bert(1), scale="probability")).score([asked()])[0]
    assert probable.ranked_by == answer.values
    assert probable.values == pytest.approx(torch.tensor(answer.values).sigmoid().tolist(), abs=1e-6)


@torch.inference_mode()
def plain_yes(prompt: str = LIBRARY_PROMPT) -> list[float]:
    """The logit of Yes behind `A: query`, `B: document` and the prompt, a line each."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base())
    model = AutoModelForCausalLM.from_pretrained(tiny_base()).eval()

    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    found = []
    for text in TEXTS:
        pair = tokens(f"A: {asked().query.text}") + tokens("\n") + tokens(f"B: {text}")[:64]
        ids = pair[: 64 + 1 + len(tokens(prompt))] + tokens("\n") + tokens(prompt)
        found.append(model(torch.tensor([ids])).logits[0, -1, tokens("Yes")[0]].item())
    return found


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_an_llm_scores_by_its_yes(batch_size: int) -> None:
    scorer = FlagEmbeddingScorer(settings(tiny_base(), kind="llm", batch_size=batch_size))
    answer = scorer.score([asked()])[0]
    assert answer.values == pytest.approx(plain_yes(), abs=1e-3)
    assert answer.diagnostics == {"truncated": 1 / 4}
    library = FlagLLMReranker(str(tiny_base()), use_fp16=False, devices="cpu", max_length=64)
    assert answer.values == pytest.approx(own_scores(library), abs=1e-3)


def test_an_llm_is_asked_in_other_words() -> None:
    answer = FlagEmbeddingScorer(settings(tiny_base(), kind="llm", prompt="Is B an answer to A?")).score([asked()])[0]
    assert answer.values == pytest.approx(plain_yes("Is B an answer to A?"), abs=1e-3)


@pytest.mark.parametrize("kind", ["layerwise", "lightweight"])
def test_kinds_whose_model_code_does_not_run_here_say_so(kind: str) -> None:
    with pytest.raises(RerankError, match=rf"kind: {kind}: the model code of FlagEmbedding .* transformers 5"):
        FlagEmbeddingScorer(settings(tiny_base(), kind=kind))


@pytest.mark.filterwarnings("ignore")
def test_and_that_is_still_true() -> None:
    """Where this fails, the library has mended it, and the two kinds can be offered."""
    from FlagEmbedding.inference.reranker.decoder_only.models import configuration_minicpm_reranker as minicpm_config
    from FlagEmbedding.inference.reranker.decoder_only.models import gemma_config, gemma_model
    from FlagEmbedding.inference.reranker.decoder_only.models import modeling_minicpm_reranker as minicpm

    shape = {"vocab_size": 100, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 4, "num_key_value_heads": 2}
    with pytest.raises(KeyError, match="type"):
        minicpm.LayerWiseMiniCPMForCausalLM(minicpm_config.LayerWiseMiniCPMConfig(**shape, start_layer=1))
    with pytest.raises(AttributeError, match="keys"):
        gemma_model.CostWiseGemmaForCausalLM(gemma_config.CostWiseGemmaConfig(**shape, head_dim=8, start_layer=1))


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (None, {}, "lacks weights of a reranker, classifier.* among them; train it first"),
        (3, {}, "has 3 labels"),
        (1, {"max_length": 1024}, "more than the 512 tokens"),
        (1, {"trust_remote_code": True}, "trust_remote_code would run the Python code"),
    ],
)
def test_what_it_would_do_in_silence_is_refused(
    bert: Bert, labels: int | None, options: dict[str, object], message: str
) -> None:
    with pytest.raises(RerankError, match=message):
        FlagEmbeddingScorer(settings(bert(labels), **options))


def test_a_query_that_it_would_cut_is_an_error(bert: Bert) -> None:
    scorer = FlagEmbeddingScorer(settings(bert(1)))
    with pytest.raises(RerankError, match="has 49 tokens, and FlagEmbedding cuts queries to 48; raise max_length"):
        scorer.score([asked("lamp " * 49)])
    with pytest.raises(ValueError, match="'prompt' goes with kind: llm"):
        settings(bert(1), prompt="?")


def test_it_passes_the_kit(bert: Bert) -> None:
    passes_the_kit(FlagEmbeddingScorer, {"model": str(bert(1)), "batch_size": 3})
    passes_the_kit(FlagEmbeddingScorer, {"model": str(tiny_base()), "kind": "llm", "batch_size": 3})
