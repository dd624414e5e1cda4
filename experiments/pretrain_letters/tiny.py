"""The architecture and the tokenizer of the embedded base, before anything is learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config

from rr_data.generators.films import ADJECTIVES, FORMS, THEMES, Films
from rr_data.generators.helpdesk import Helpdesk
from rr_data.generators.rentals import Rentals
from rr_letters.templates import read_templates

VOCABULARY = 3072
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
SURELY = 1000  # a text repeated so often has its words merged before any other

# Qwen3's chat template for a plain conversation with thinking off
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the embedded data sets' texts: any text can be encoded, and ASCII letters are tokens. Every
    word of the prompts and of the film titles is one token, so that prompts are short and titles easy to learn."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
    )


def tiny_config() -> Qwen3Config:
    return Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )


def _texts() -> Iterator[str]:
    kinds: tuple[Any, ...] = (Films, Helpdesk, Rentals)
    for kind in kinds:
        collection = kind(kind.Settings.model_validate({})).read()
        yield from (document.content for document in collection.documents.values())
        yield from (query.text for query in collection.queries.values() if not query.history)
    titles = (f"{form} {word}" for form in FORMS for word in (THEMES + ADJECTIVES).title().split())
    prompts = read_templates()
    for text in (*titles, prompts.next_item, prompts.passage, "<think> </think> user assistant"):
        yield from [text] * SURELY
