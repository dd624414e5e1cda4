"""Questions to the help desk of an invented company, and the articles of its knowledge base.

An article treats one fault of one system under one circumstance. People describe what they see ("throws me back to the
front page", "from my sofa"), articles what it is ("session token rejected", "over remote access"): they share the
name of the system or what it is for, and little else. So the other articles on that system are the distractors: the
same fault under another circumstance, another fault under the same one, and remedies in words that questions use.

The article of the very system, fault and circumstance is graded 2; the system's general article on the fault, where
there is one, 1; the field `general` (true, false) tells questions with such a one from others. A group is a system with
a fault, so that a general article is relevant in one split only.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from rr import Document, Query, Settings
from rr.data import Collection


class Topic(NamedTuple):
    """A fault or a circumstance: how people put it, and how articles do."""

    asked: tuple[str, ...]
    written: tuple[str, ...]


class Wordings(NamedTuple):
    """What a world is told in: the letters' embedded base is pretrained on worlds in other wordings than these."""

    systems: str
    """One a line: its name | what it is for."""
    faults: str
    """Blocks of: how people put it (after the system's name), one a line, then `=` and how articles do."""
    circumstances: str
    """Likewise, after the fault."""
    naming: tuple[str, ...]
    asking: tuple[str, ...]
    remedies: tuple[str, ...]


class Article(NamedTuple):
    system: str
    purpose: str
    fault: Topic
    circumstance: Topic | None
    """None: the general article on the fault."""


SYSTEMS = """
Tern | expenses
Quillon | documents
Heron | mail
Corvo | chat
Ostara | payroll
Pelago | rooms
Marlow | customers
Sundial | timesheets
Fennel | orders
Kestrel | travel
Tamarind | training
Juniper | projects
Lodestar | contracts
Brindle | visitors
Havik | printing
Cadenza | equipment
"""

FAULTS = """
keeps throwing me back to the front page
asks who I am again and again
forgets me every five minutes
= Session token rejected
= Expired authentication cookie

says I am not allowed in any more
shut me out after too many tries
has locked the door on me
= Account locked in the directory
= Identity suspended by the lockout policy

takes ages to open anything
is crawling like a snail
just spins and spins
= Application takes long to respond
= High latency of the database index

has lost half of my entries
shows nothing from last year
makes my older stuff vanish
= Records moved to the archive tier
= Retention policy hides closed items

shows everything twice
gives me two copies of each line
repeats every entry
= Duplicate rows after a replication conflict
= Merge keys not unique

never tells me when something happens
stays silent and I miss deadlines
does not ping me any more
= Push subscription expired
= Notification channel unregistered

will not give me a spreadsheet
cannot put my list into excel
refuses to save the table to a file
= Spreadsheet export job fails
= Report extraction times out

bounces the picture I attach
will not take my scan
spits my receipt out again
= Picture upload rejected by the payload limit
= Attachment blocked by the gateway

lets me look but not touch
has greyed out all the buttons
will not let me change a thing
= Role lacks write permission
= Read-only scope assigned

is an hour off
puts everything on the wrong day
mixes up morning and evening
= Time zone offset incorrect
= Regional calendar settings differ

is nothing but a white page
comes up completely empty
shows only a blank window
= Client scripts blocked by content security
= Rendering component disabled

dies the moment I click it
closes itself without a word
falls over at the start
= Application terminates due to a corrupt profile
= Launch failure of the local runtime

cannot find things I know are there
comes back with no hits at all
ignores what I look for
= Search cannot see all content
= Crawler skips new content

speaks german to me all of a sudden
has switched to a foreign language
greets me in french now
= Locale preference reset
= Foreign translation pack active
"""

CIRCUMSTANCES = """
on my phone
when I use the little screen
= on handheld clients
= on managed smartphones

from home
from my sofa
= home office outside the corporate network
= over remote access

since I started here last week
as the new one in the team
= for employees who recently started
= for joiners without a completed profile

since last night's big change
after the thing renewed itself
= following a version upgrade
= after release deployment

on my mac
on the apple machine
= on macOS workstations
= on devices outside the Windows fleet

since I got married
with my new last name
= after a change of surname
= when directory names differ

in the mailbox we share
for the whole team account
= for functional identities
= with delegated access

while I am abroad
from my hotel in Spain
= abroad, in foreign address ranges
= behind geographic filtering

since I moved to sales
in my new department
= after a transfer between cost centres
= following an organisational reassignment

with the replacement laptop
since they swapped my computer
= on newly imaged hardware
= after device exchange
"""

NAMING = ("{name}", "the {purpose} tool", "{name} for {purpose}", "{name} {purpose}")

ASKING = (
    "{system} {fault} {circumstance}",
    "{circumstance} {system} {fault}",
    "hi, {system} {fault} {circumstance}",
    "{system} {fault} {circumstance}, please help",
    "{circumstance} {system} {fault}, any idea?",
)

# they use the words of questions, whatever the article is about
REMEDIES = (
    "Clear the stored password and sign in again.",
    "Ask the team lead to approve the request.",
    "Restart the computer and repeat the last step.",
    "Attach a picture of the window to the ticket.",
    "Wait for the nightly change, then look again.",
    "Remove the entry and create it anew.",
    "Install the current package on the laptop.",
    "Phone second level with the reference number.",
    "Send a copy of the page to the mailbox of the desk.",
    "Save open files and close the tool first.",
)


WORDINGS = Wordings(SYSTEMS, FAULTS, CIRCUMSTANCES, NAMING, ASKING, REMEDIES)


class Options(Settings):
    faults: int = Field(8, ge=1, le=14)
    """That a system has, of all there are."""
    circumstances: int = Field(2, ge=1, le=10)
    """That a fault has, of all there are."""
    questions: int = Field(500, ge=1)
    """In all."""
    general: float = Field(0.3, ge=0, le=1)
    """Share of a system's faults with a general article."""
    typos: float = Field(0.3, ge=0, le=1)
    """Share of the questions with a typing error."""
    seed: int = 31
    """Of all that is drawn: another seed is another world."""


class Helpdesk:
    Settings = Options

    def __init__(self, settings: Options, wordings: Wordings = WORDINGS) -> None:
        self._options, self._wordings = settings, wordings

    def files(self) -> list[Path]:
        """None: the text is this module's."""
        return []

    def read(self) -> Collection:
        generator, wordings = random.Random(self._options.seed), self._wordings
        faults, circumstances = topics(wordings.faults), topics(wordings.circumstances)
        articles: list[Article] = []
        for line in wordings.systems.strip().splitlines():
            system, purpose = line.split(" | ")
            for fault in generator.sample(faults, self._options.faults):
                met: list[Topic | None] = [*generator.sample(circumstances, self._options.circumstances)]
                if generator.random() < self._options.general:
                    met.append(None)
                articles += [Article(system, purpose, fault, circumstance) for circumstance in met]
        generator.shuffle(articles)  # before they are numbered, or an id would tell the system
        ids = {article: f"a{number:03}" for number, article in enumerate(articles, 1)}
        documents = {ids[article]: _document(ids[article], article, wordings, generator) for article in articles}

        queries: dict[str, Query] = {}
        qrels: dict[str, dict[str, int]] = {}
        groups: dict[str, str] = {}
        general_too: dict[str, str] = {}
        askable = [article for article in articles if article.circumstance]
        for number in range(self._options.questions):
            article = askable[number % len(askable)]
            query = Query(f"q{number + 1:03}", _question(article, self._options, wordings, generator))
            queries[query.id] = query
            qrels[query.id] = {ids[article]: 2}
            general = article._replace(circumstance=None)
            general_too[query.id] = str(general in ids).lower()
            if general in ids:
                qrels[query.id][ids[general]] = 1
            groups[query.id] = f"{article.system}: {article.fault.written[0]}"
        return Collection(documents, queries, qrels, groups=groups, facets={"general": general_too})


def topics(blocks: str) -> list[Topic]:
    topics = []
    for block in blocks.strip().split("\n\n"):
        lines = block.splitlines()
        asked = tuple(line for line in lines if not line.startswith("= "))
        written = tuple(line.removeprefix("= ") for line in lines if line.startswith("= "))
        topics.append(Topic(asked, written))
    return topics


def _document(id_: str, article: Article, wordings: Wordings, generator: random.Random) -> Document:
    title = f"{article.system} ({article.purpose}): {generator.choice(article.fault.written)}"
    if article.circumstance:
        title += f" {generator.choice(article.circumstance.written)}"
    text = f"This concerns {article.system}. {generator.choice(wordings.remedies)}"
    return Document(id_, text, title)


def _question(article: Article, options: Options, wordings: Wordings, generator: random.Random) -> str:
    assert article.circumstance
    fault = generator.choice(article.fault.asked)
    if generator.random() < options.typos:
        fault = _with_typo(fault, generator)
    system = generator.choice(wordings.naming).format(name=article.system.lower(), purpose=article.purpose)
    circumstance = generator.choice(article.circumstance.asked)
    return generator.choice(wordings.asking).format(system=system, fault=fault, circumstance=circumstance)


def _with_typo(text: str, generator: random.Random) -> str:
    """Two neighbouring letters inside one of the longer words swap places."""
    words = text.split()
    index = generator.choice([index for index, word in enumerate(words) if len(word) > 3])
    word = words[index]
    place = generator.randrange(1, len(word) - 2)
    words[index] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(words)
