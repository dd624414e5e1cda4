"""TREC's SGML: documents (`<DOC>`) and topics (`<top>`, `<topic>`), whose tags stand in any case and are closed or not.
It is no XML: `&` and `<` stand for themselves where they begin neither an entity nor a tag."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rr.data import Damage, Row
from rr_data.found import Encoding, text_lines

TITLES = ("title", "headline", "head", "hl", "ttl", "ti")
TEXTS = ("leadpara", "lp", "text")
APART = ("docno", "docid", "dochdr", "parent", "date", "fileid")
"""Not part of a document's text."""
LABELS = re.compile(r"^(?:Number|Topic|Description|Narrative|Domain|Summary|Concept\(s\))\s*:\s*", re.IGNORECASE)
SPELLINGS = {"description": "desc", "narrative": "narr", "identifier": "num", "number": "num", "id": "num"}
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->|<!\[CDATA\[|\]\]>", re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]+")


def documents(path: Path, encoding: Encoding, damage: Damage) -> Iterator[Row]:
    """Rows of `id`, `title` and `text`, one at a time. Text is that of TEXT, and of the paragraph before it (LP); of a
    document without a TEXT, all but its ids, date and header. Damage: there is no DOCNO, or no `</DOC>`."""
    for at, block in _blocks(path, text_lines(path, encoding), "doc", damage):
        with damage.row():
            fields = {name: found for name in TITLES if (found := _of(block, name))}
            title = next(iter(fields.values()), "")
            text = "\n".join(found for name in TEXTS for found in _all(block, name) if found)
            if not re.search(r"<text\b", block, re.IGNORECASE):
                rest = re.sub(rf"<({'|'.join((*APART, *TITLES))})\b[^>]*>.*?</\1\s*>", " ", block, flags=re.I | re.S)
                text = plain(rest)
            row = Row(path, at, {"id": _of(block, "docno"), "title": title, "text": text})
            if not row.fields["id"]:
                raise row.error("the <DOC> has no <DOCNO>; give it one")
            yield row


def topics(path: Path, encoding: Encoding, damage: Damage) -> Iterator[Row]:
    """Rows of `num` and of the fields of the topic by their names: title, desc, narr, query, question, …; a topic that
    is a text without fields has it as `text`."""
    for tag in ("topic", "top"):
        for at, block in _blocks(path, text_lines(path, encoding), tag, damage, attributes=True):
            head, _, inner = block.partition(">")
            fields = {"num": found[2]} if (found := re.search(r"\b(number|num|id)\s*=\s*\"?([^\"\s>]+)", head)) else {}
            parts = re.split(r"<([A-Za-z][\w-]*)\b[^>]*>", re.sub(r"</[A-Za-z][^>]*>", "", inner))
            if text := plain(parts[0]):
                fields["text"] = text
            for name, content in zip(parts[1::2], parts[2::2], strict=True):
                key = name.lower().rpartition("-")[2]  # CLEF: <EN-title>
                text = LABELS.sub("", plain(content))
                if text:
                    fields.setdefault(SPELLINGS.get(key, key), text)
            yield Row(path, at, fields)


def plain(text: str) -> str:
    """Without tags and entities, of single blanks."""
    text = _TAG.sub(" ", text).replace("&blank;", " ").replace("&hyph;", "-")
    return _BLANKS.sub(" ", html.unescape(text)).strip(" ")


def _all(block: str, name: str) -> list[str]:
    return [plain(found) for found in re.findall(rf"<{name}\b[^>]*>(.*?)</{name}\s*>", block, re.I | re.S)]


def _of(block: str, name: str) -> str:
    return next(iter(_all(block, name)), "")


def _blocks(
    path: Path, lines: Iterable[tuple[int, str]], tag: str, damage: Damage, attributes: bool = False
) -> Iterator[tuple[str, str]]:
    """What stands between `<tag>` and `</tag>`, several on a line or one on several lines, and where it begins; with
    its attributes and `>` before it, if asked for."""
    begin, end = re.compile(rf"<{tag}(?=[\s>])", re.IGNORECASE), re.compile(rf"</{tag}\s*>", re.IGNORECASE)
    parts: list[str] | None = None
    start = 0
    for number, line in lines:
        rest = line
        while True:
            if parts is None:
                if (opening := begin.search(rest)) is None:
                    break
                parts, start, rest = [], number, rest[opening.end() :]
            closing, again = end.search(rest), begin.search(rest)
            if again and not (closing and closing.start() < again.start()):
                with damage.row():
                    raise Row(path, f"line {start}", {}).error(f"the <{tag}> is not closed; close it by </{tag}>")
                parts = None
                continue
            if closing is None:
                parts.append(rest)
                break
            block = "\n".join([*parts, rest[: closing.start()]])
            yield f"line {start}", block if attributes else block.partition(">")[2]
            parts, rest = None, rest[closing.end() :]
    if parts is not None:
        with damage.row():
            raise Row(path, f"line {start}", {}).error(f"the <{tag}> is not closed; close it by </{tag}>")
