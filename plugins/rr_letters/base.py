"""The embedded base: a tiny Qwen3ForCausalLM of the real architecture with random weights, and its own tokenizer.

It stands in for `Qwen/Qwen3-0.6B` where no model hub is at hand. Nobody has trained it yet: whatever is built on it
says `untrained base`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from rr.artefacts import atomic_folder, code_fingerprint, home
from rr.data.generators import GENERATORS, load_generator
from rr.modeling.device import seeded
from rr.modeling.loading import quiet

TINY = "tiny-qwen3"
VOCABULARY = 4096
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"

# Qwen3's chat template for a plain conversation with thinking off
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def tiny_base() -> Path:
    """The folder with the embedded base, made on the first call."""
    folder = home() / "models" / f"{TINY}-{code_fingerprint('rr_letters')[:8]}-{code_fingerprint('rr')[:8]}"
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            _tokenizer().save_pretrained(temporary)
            with quiet(), seeded(0):
                _model().save_pretrained(temporary)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the embedded data sets' texts: any text can be encoded, and ASCII letters are tokens."""
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


def _texts() -> Iterator[str]:
    for name in sorted(GENERATORS):
        module = load_generator(name)
        collection = module.generate(module.Options())
        yield from (document.content for document in collection.documents.values())
        yield from (query.text for query in collection.queries.values())


def _model() -> Qwen3ForCausalLM:
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
        )
    )
