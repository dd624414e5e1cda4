"""Requests, settings and oracles that the letters' tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rr import Dataset, Document, Query, Request
from rr_letters.labels import LETTERS
from rr_letters.prompt import Budget, Prompt, Prompter
from rr_letters.samples import Epoch, Sample
from rr_letters.settings import LetterSettings, LetterTraining

Qwen = Callable[[str], Path]

TURN_END = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
# what the templates of the real models make of a plain conversation
QWEN25_TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    "<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role in ('user', 'assistant') or not loop.first %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
QWEN3_TEMPLATE = (
    "{%- set ns = namespace(asked=messages|length - 1) %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}{%- set ns.asked = loop.index0 %}{%- endif %}"
    "{%- endfor %}"
    "{%- for message in messages %}{%- set content = message.content %}"
    "{%- if message.role == 'assistant' %}{%- set thought = '' %}"
    "{%- if '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if loop.index0 > ns.asked and (loop.last or thought) %}"
    "{{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}"
    "{%- else %}{{- content }}{%- endif %}{{- '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
SMALL = {"title_tokens": 16, "max_tokens": 400}


def settings(folder: Path, **options: object) -> LetterSettings:
    return LetterSettings.model_validate({"model": str(folder), **options})


def passages(query: str, texts: Iterable[str], id_: str = "q") -> Request:
    return Request(Query(id_, query), tuple(Document(f"d{place}", text) for place, text in enumerate(texts)))


def next_item(history: Iterable[str], titles: Iterable[str]) -> Request:
    met = tuple(Document(f"h{place}", "", title) for place, title in enumerate(history))
    return Request(Query("u", "", met), tuple(Document(f"d{place}", "", title) for place, title in enumerate(titles)))


def mixed_requests() -> list[Request]:
    return [
        passages("Where is the lamp?", ["the falcon offer", "x"]),
        passages("", ["alone"], id_="single"),
        passages("Which one?", [f"offer {n} is recommended" for n in range(52)], id_="all"),
        next_item([f"Film {n}" for n in range(30)], [f"Film {n}" for n in range(30, 37)]),
        passages("Long?", ["the hammer offer by the guide " * 30, "", "pepper"], id_="long"),
    ]


@cache
def plain_model(folder: Path) -> Any:
    """The model as transformers loads it."""
    return AutoModelForCausalLM.from_pretrained(folder).eval()


@torch.inference_mode()
def plain_logits(folder: Path, tokens: Sequence[int]) -> torch.Tensor:
    """Float64, shape (tokens, vocabulary), by a full forward pass of one row."""
    return plain_model(folder)(torch.tensor([list(tokens)])).logits[0].double()


def prompt_of(own: LetterSettings, request: Request) -> Prompt:
    tokenizer = AutoTokenizer.from_pretrained(own.model)
    budget = Budget(own.title_tokens, own.history_items, own.max_tokens)
    return Prompter(tokenizer, budget, own.templates()).render(request)


def letter_ids(folder: Path | str, count: int) -> torch.Tensor:
    return torch.tensor(AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(list(LETTERS[:count])))


def plain_answer(own: LetterSettings, request: Request) -> tuple[list[float], float]:
    """Softmax over the letters at the last position of a plain forward pass, and their share of the vocabulary."""
    logits = plain_logits(Path(own.model), prompt_of(own, request).tokens)[-1]
    letters = letter_ids(own.model, len(request.candidates))
    return torch.softmax(logits[letters], 0).tolist(), torch.softmax(logits, 0)[letters].sum().item()


def with_template(folder: Path, template: str, out: Path, **tokenizer: str) -> Path:
    """The model of `folder` with another chat template, in `out`."""
    shutil.copytree(folder, out)
    changed = AutoTokenizer.from_pretrained(folder)
    changed.chat_template = template
    for name, token in tokenizer.items():
        setattr(changed, name, token)
    changed.save_pretrained(out)
    return out


def choices(dataset: Dataset, options: LetterTraining, epoch: int) -> list[Sample]:
    every_prefix, questions = options.samples == "every-prefix", options.questions
    return list(Epoch(dataset, every_prefix, options.candidates, options.seed, epoch, questions))
