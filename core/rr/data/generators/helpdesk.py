"""English help-desk questions and the articles that answer them.

Every article is about one product and one problem. Questions describe a problem by its symptoms, in a user's words;
articles name its cause, in an engineer's, and some quote one user. They share the product's name, which all articles
of the product share, and little else: which symptom belongs to which cause has to be known, or learned. It cannot be
learned by heart: questions that describe a problem in the same words are all in the same split.
"""

from __future__ import annotations

import random

from pydantic import Field

from rr.data.collection import Collection
from rr.data.generators.helpdesk_texts import BODIES, DEVICES, OPENERS, PROBLEMS, PRODUCTS, URGES
from rr.protocols import Settings
from rr.types import Document, Query


class Options(Settings):
    seed: int = 1
    questions: int = Field(450, ge=30)
    typo_share: float = Field(0.2, ge=0, le=1)  # of the questions: two letters swapped somewhere
    quote_share: float = Field(0.4, ge=0, le=1)  # of the articles: one symptom quoted


def generate(options: Options) -> Collection:
    generator = random.Random(options.seed)
    topics = [(product, problem) for product in PRODUCTS for problem in range(len(PROBLEMS))]
    generator.shuffle(topics)  # so that neither ids nor their order tell a topic
    documents, article = {}, {}
    for number, (product, problem) in enumerate(topics):
        document = _article(f"a{number:03}", product, problem, options, generator)
        documents[document.id] = document
        article[product, problem] = document.id

    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    groups: dict[str, str] = {}
    asked: set[str] = set()
    while len(queries) < options.questions:
        product, problem = topics[len(queries) % len(topics)]
        symptom = generator.choice(PROBLEMS[problem][3])
        text = _question(product, symptom, options, generator)
        if text not in asked:
            asked.add(text)
            query = Query(f"q{len(queries):03}", text)
            queries[query.id] = query
            qrels[query.id] = {article[product, problem]: 1}
            groups[query.id] = symptom
    return Collection(documents, queries, qrels, groups=groups)


def _article(id_: str, product: str, problem: int, options: Options, generator: random.Random) -> Document:
    title, cause, remedy, symptoms = PROBLEMS[problem]
    body = generator.choice(BODIES).format(product=product, cause=cause, remedy=remedy)
    quote = f" A user wrote: {generator.choice(symptoms)}." if generator.random() < options.quote_share else ""
    return Document(id_, f"{body}{quote} Applies to {generator.choice(DEVICES)}.", title=f"{product}: {title}")


def _question(product: str, symptom: str, options: Options, generator: random.Random) -> str:
    parts = [generator.choice(OPENERS), symptom, generator.choice(("in", "with", "using")), product]
    if generator.random() < 0.3:
        parts += ["on", generator.choice(DEVICES)]
    parts.append(generator.choice(URGES))
    text = " ".join(part for part in parts if part)
    return _with_typo(text, product, generator) if generator.random() < options.typo_share else text


def _with_typo(text: str, product: str, generator: random.Random) -> str:
    """Two neighbouring letters of one longer word change places; the product's name stays."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 4 and word not in product.split()]
    if not long:
        return text
    place = generator.choice(long)
    cut = generator.randrange(1, len(words[place]) - 2)
    word = words[place]
    words[place] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
    return " ".join(words)
