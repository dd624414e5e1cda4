"""BGE-M3 through FlagEmbedding, against sentence-transformers and against plain loops over the tokens' states."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel
from typer.testing import CliRunner

import rr
from rr import Document, Query, Request, RerankError
from rr_bench.cli.app import app
from rr_head.bge_m3 import BgeM3Scorer, ColbertScorer, SparseScorer
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings, HeadTraining
from rr_head.trainer import HeadTrainer
from rr_torch.device import seeded
from rr_torch.encoding import FrozenEncoder
from rr_torch.settings import EncoderSettings, TextModelSettings
from tests.conftest import ROOT

WIDTH, LENGTH = 32, 24
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = ["the", "lamp", "falcon", "offer", "is", "gần", "chợ", "quận", "1", "giá", "triệu", "phòng", "trọ"]
TEXTS = [
    "the lamp",
    "phòng trọ gần chợ quận 1 giá 1 triệu",
    "lamp lamp unheard the lamp",
    "the falcon " * 30,
    "",
    "giá",
]


@pytest.fixture(scope="module")
def bge_m3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BGE-M3: XLM-R, CLS, Normalize, and both heads, with XLM-R's special tokens."""
    folder = tmp_path_factory.mktemp("bge-m3")
    vocabulary = {token: id_ for id_, token in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    base = tmp_path_factory.mktemp("xlm-r")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=128,
    ).save_pretrained(base)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        initializer_range=0.2,
    )
    with seeded(1):
        XLMRobertaModel(config).save_pretrained(base)
        modules = [Transformer(str(base)), Pooling(WIDTH, "cls"), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    for name in ("sparse", "colbert"):
        torch.save(head(name).state_dict(), folder / f"{name}_linear.pt")
    return folder


def head(name: str) -> torch.nn.Linear:
    with seeded(4):
        linear = torch.nn.Linear(WIDTH, 1 if name == "sparse" else WIDTH)
        if name == "sparse":
            torch.nn.init.constant_(linear.bias, 0.5)  # so that most tokens have a weight, and some have none
    return linear.requires_grad_(False)


def encoder(folder: Path, **settings: Any) -> FrozenEncoder:
    given = {"model": str(folder), "max_seq_length": LENGTH, "library": "flagembedding", "batch_size": 4, **settings}
    return FrozenEncoder(EncoderSettings.model_validate(given))


def settings(folder: Path, **further: Any) -> TextModelSettings:
    return TextModelSettings.model_validate(
        {"model": str(folder), "max_seq_length": LENGTH, "batch_size": 4, **further}
    )


def by_sentence_transformers(folder: Path, pooling: str) -> Tensor:
    module = SentenceTransformer(str(folder), device="cpu")
    module[1] = Pooling(WIDTH, pooling)
    module.max_seq_length = LENGTH
    return module.encode(TEXTS, convert_to_tensor=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("pooling", "means"), [("model", "cls"), ("cls", "cls"), ("mean", "mean")])
def test_dense_vectors_are_sentence_transformers_own(
    bge_m3: Path, pooling: str, means: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = encoder(bge_m3, pooling=pooling)
    capfd.readouterr()
    vectors = found(TEXTS)
    assert capfd.readouterr() == ("", "")
    assert found.dimensions == WIDTH
    torch.testing.assert_close(vectors.cpu(), by_sentence_transformers(bge_m3, means), atol=1e-5, rtol=0)
    other = by_sentence_transformers(bge_m3, "mean" if means == "cls" else "cls")
    assert (vectors.cpu() - other).abs().max() > 1e-2


def test_it_keeps_its_vectors_apart_from_the_other_librarys(bge_m3: Path) -> None:
    first = encoder(bge_m3)
    vectors = first([*TEXTS, *TEXTS])
    again = encoder(bge_m3)
    assert torch.equal(again(TEXTS), vectors[: len(TEXTS)])
    assert (first.encoded, again.encoded) == (len(TEXTS), 0)
    other = encoder(bge_m3, library="sentence-transformers")
    other(TEXTS)
    assert other.encoded == len(TEXTS)


def test_a_head_is_trained_on_it_and_exported_and_it_stays_as_it_was(
    bge_m3: Path, learnable: rr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FrozenEncoder] = []
    weights: list[dict[str, Tensor]] = []

    def remembered(given: EncoderSettings) -> FrozenEncoder:
        made.append(FrozenEncoder(given))
        weights.append({name: value.clone() for name, value in made[0]._flag.flag.model.state_dict().items()})
        return made[0]

    monkeypatch.setattr("rr_head.trainer.FrozenEncoder", remembered)
    given = HeadSettings(model=str(bge_m3), library="flagembedding", max_seq_length=LENGTH, dimensions=8)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    HeadTrainer(HeadTraining(epochs=1, batch_size=16), given).train(learnable, checkpoint, lambda event: None)
    whole = made[0]._flag.flag.model
    assert not any(part.training for part in whole.modules())
    assert not any(parameter.requires_grad for parameter in whole.parameters())
    assert all(torch.equal(value, weights[0][name]) for name, value in whole.state_dict().items())

    scorer = HeadScorer(given, checkpoint)
    assert (scorer.info.parameters, scorer.info.trainable) == (
        sum(p.numel() for p in XLMRobertaModel.from_pretrained(bge_m3).parameters()) + 8 * WIDTH,
        8 * WIDTH,
    )
    scorer.export(tmp_path / "served")
    served = SentenceTransformer(str(tmp_path / "served"), device="cpu")
    assert [type(module).__name__ for module in served] == ["Transformer", "Pooling", "Dense", "Normalize"]
    with torch.no_grad():
        expected = torch.nn.functional.normalize(scorer.embed(TEXTS), dim=-1).cpu()
    torch.testing.assert_close(served.encode(TEXTS, convert_to_tensor=True), expected, atol=1e-5, rtol=0)
    assert not [file for file in (tmp_path / "served").rglob("*") if file.suffix in (".pt", ".bin")]


# the two further scorers


@functools.cache
def states(folder: Path, text: str) -> tuple[list[int], Tensor]:
    """Token ids and states, shape (tokens, width), of a text by itself."""
    ids = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=LENGTH)["input_ids"]
    model = XLMRobertaModel.from_pretrained(folder).double().eval()
    with torch.no_grad():
        return ids, model(torch.tensor([ids])).last_hidden_state[0]


def plain_sparse(folder: Path, query: str, document: str) -> float:
    linear = head("sparse").double()
    sides: list[dict[int, float]] = []
    for text in (query, document):
        side: dict[int, float] = {}
        for id_, state in zip(*states(folder, text), strict=True):
            if id_ >= len(SPECIAL):
                value = max(float(linear.weight[0] @ state + linear.bias[0]), 0.0)
                side[id_] = max(side.get(id_, 0.0), value)
        sides.append(side)
    return sum(value * sides[1].get(id_, 0.0) for id_, value in sides[0].items())


def plain_colbert(folder: Path, query: str, document: str) -> float:
    linear = head("colbert").double()
    sides = []
    for text in (query, document):
        vectors = [linear.weight @ state + linear.bias for state in states(folder, text)[1][1:]]
        sides.append([vector / vector.norm() for vector in vectors])
    return sum(max(float(one @ other) for other in sides[1]) for one in sides[0]) / len(sides[0])


def requests() -> list[Request]:
    documents = [Document(str(number), text) for number, text in enumerate(TEXTS)]
    return [
        Request(Query("a", "the lamp"), tuple(documents)),
        Request(Query("b", "giá phòng gần gần chợ"), tuple(documents[::-1][:4])),
        Request(Query("c", "unheard"), (Document("title", "the lamp", "falcon"),)),
        Request(Query("d", "the"), ()),
    ]


@pytest.mark.parametrize(
    ("scorer", "plain", "scale"), [(SparseScorer, plain_sparse, "rank"), (ColbertScorer, plain_colbert, "cosine")]
)
def test_scores_equal_plain_loops(
    scorer: Any, plain: Any, scale: str, bge_m3: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("rr_head.bge_m3.BATCHES", 1)
    made: BgeM3Scorer = scorer(settings(bge_m3, batch_size=3))
    encoded: list[str] = []
    own = made._model.encode
    monkeypatch.setattr(made._model, "encode", lambda texts, output: encoded.extend(texts) or own(texts, output))
    capfd.readouterr()
    answers = made.score(requests())
    assert capfd.readouterr() == ("", "")
    assert (made.info.scale, made.info.state) == (scale, "pretrained")
    spread = set()
    for request, answer in zip(requests(), answers, strict=True):
        expected = [plain(bge_m3, request.query.text, document.content) for document in request.candidates]
        assert answer.values == pytest.approx(expected, abs=1e-5)
        spread |= {round(value, 3) for value in expected}
    assert len(spread) > 3
    assert [answer.diagnostics["truncated"] for answer in answers] == [1 / 6, 1 / 4, 0, 0]
    distinct = {r.query.text for r in requests()} | {d.content for r in requests() for d in r.candidates}
    assert sorted(encoded) == sorted(distinct)


def test_equal_texts_get_equal_scores_whatever_else_is_asked(bge_m3: Path) -> None:
    twins = Request(Query("q", "the lamp"), (Document("1", "lamp giá"), Document("2", "lamp giá"), Document("3", "1")))
    for scorer in (SparseScorer(settings(bge_m3)), ColbertScorer(settings(bge_m3))):
        alone, among = scorer.score([twins])[0], scorer.score([*requests(), twins])[-1]
        assert alone.values[0] == alone.values[1]
        assert among.values == pytest.approx(alone.values, abs=1e-6)


@pytest.mark.parametrize("lost", ["sparse_linear.pt", "colbert_linear.pt"])
def test_without_both_heads_only_dense_vectors_are_to_be_had(bge_m3: Path, tmp_path: Path, lost: str) -> None:
    shutil.copytree(bge_m3, tmp_path / "model")
    (tmp_path / "model" / lost).unlink()
    for scorer in (SparseScorer, ColbertScorer):
        with pytest.raises(RerankError, match=f"has no {lost}; get a whole copy of BGE-M3"):
            scorer(settings(tmp_path / "model"))
    dense = encoder(tmp_path / "model")(TEXTS)
    torch.testing.assert_close(dense.cpu(), by_sentence_transformers(bge_m3, "cls"), atol=1e-5, rtol=0)


class Intruder:
    """What a pickle can hold: a call, made while it is read."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._trace,)


def test_a_head_that_holds_code_does_not_run_it(bge_m3: Path, tmp_path: Path) -> None:
    shutil.copytree(bge_m3, tmp_path / "model")
    torch.save({"weight": Intruder(tmp_path / "trace")}, tmp_path / "model" / "sparse_linear.pt")
    with pytest.raises(RerankError, match=r"sparse_linear.pt or colbert_linear.pt"):
        SparseScorer(settings(tmp_path / "model"))
    assert not (tmp_path / "trace").exists()


def test_what_it_would_do_in_silence_is_refused(bge_m3: Path, tmp_path: Path) -> None:
    with pytest.raises(RerankError, match=r"the query 'the the .* has more than max_seq_length 24 tokens"):
        SparseScorer(settings(bge_m3)).score([Request(Query("q", "the " * 23), (Document("d", "lamp"),))])
    with pytest.raises(RerankError, match="max_seq_length 129 is more than the 128 tokens the model can read"):
        encoder(bge_m3, max_seq_length=129)
    shutil.copytree(bge_m3, tmp_path / "model")
    XLMRobertaModel(XLMRobertaConfig.from_pretrained(bge_m3, num_hidden_layers=1)).save_pretrained(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 2}))
    with pytest.raises(RerankError, match="lacks weights"):
        encoder(tmp_path / "model")


def test_the_command_line_knows_them(bge_m3: Path, small_registry: Path) -> None:
    entries = "".join(
        f'  {name}:\n    scorer: {name}\n    settings: {{model: "{bge_m3}", max_seq_length: 32}}\n'
        for name in ("bge_m3_sparse", "bge_m3_colbert")
    )
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entries, encoding="utf-8")
    result = rr.bench(["bge_m3_sparse", "bge_m3_colbert"], registry=small_registry)
    assert [row.failure for row in result.datasets[0].rows] == [""] * len(result.datasets[0].rows)
    assert {row.reranker for row in result.datasets[0].rows} >= {"bge_m3_sparse", "bge_m3_colbert"}
    listed: Result = CliRunner().invoke(app, ["list", "--profile", "full", "--registry", str(ROOT / "registry.yaml")])
    assert "bge-m3-sparse" in listed.output
    assert "bge-m3-colbert" in listed.output
