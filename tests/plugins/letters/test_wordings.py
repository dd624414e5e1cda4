"""The embedded base is pretrained on worlds in other words than the benched ones."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from experiments.pretrain_reader.wordings import films, helpdesk, rentals
from experiments.pretrain_reader.worlds import names

from rr_data.generators import films as benched_films
from rr_data.generators import helpdesk as benched_helpdesk
from rr_data.generators import rentals as benched_rentals


def plain(text: str) -> str:
    """Lower case, without tone marks and signs; a figure with a decimal comma is one word."""
    figures = re.sub(r"(\d),(\d)", r"\1\2", text.lower())
    return " " + " ".join(re.findall(r"\w+", benched_rentals.without_marks(figures))) + " "


def found(benched: Iterable[str], trained: Iterable[str]) -> list[tuple[str, str]]:
    """Benched wordings that stand, whole, in one of the pretraining's."""
    own = [plain(text) for text in trained]
    return [(wording, text) for wording in benched for text in own if plain(wording) in text]


def topics(wordings: benched_helpdesk.Wordings) -> list[str]:
    blocks = [*benched_helpdesk.topics(wordings.faults), *benched_helpdesk.topics(wordings.circumstances)]
    return [text for topic in blocks for text in (*topic.asked, *topic.written)]


def values(wordings: benched_rentals.Wordings) -> list[str]:
    of_values = [wording for attribute in wordings.values.values() for wording in attribute.values()]
    return [text for wording in of_values for text in (*wording.listing, *wording.query)]


def systems(wordings: benched_helpdesk.Wordings) -> list[str]:
    return wordings.systems.replace(" | ", "\n").split("\n")[1:-1]


def test_the_check_finds_what_is_in_both() -> None:
    assert found(["có gác"], ["phòng co gac lửng"]) == [("có gác", " phong co gac lung ")]
    assert found(["lầu 1", "2 triệu"], ["lầu 15", "3,2 triệu"]) == []


def test_no_wording_of_the_benched_help_desk_is_trained_on() -> None:
    trained = helpdesk.wordings(names(), random.Random(0))
    assert found(topics(benched_helpdesk.WORDINGS), topics(trained)) == []
    assert len(topics(trained)) > 200
    benched = {name.lower() for name in systems(benched_helpdesk.WORDINGS)}
    assert not benched & {*helpdesk.PURPOSES.split(), *names()}
    assert not set(benched_helpdesk.REMEDIES) & set(trained.remedies)


def test_no_wording_of_the_benched_rentals_is_trained_on() -> None:
    assert found(values(benched_rentals.WORDINGS), values(rentals.WORDINGS)) == []
    assert len(values(rentals.WORDINGS)) > 500
    assert not set(benched_rentals.OPENERS) & set(rentals.OPENERS)


def test_no_word_of_the_benched_films_is_trained_on() -> None:
    benched = (benched_films.THEMES + benched_films.ADJECTIVES).split()
    trained = (films.THEMES + films.ADJECTIVES).split()
    assert found(benched, trained) == []
    assert len(trained) > 400
