"""What a reader gives, and what it says of damage. Files are damaged as copies, which the settings name instead."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from rr.data import Collection, folded, nfc
from rr.errors import DataError, NotApplicableError, summary
from rr_bench.testing.check import BrokenRuleError, check_of
from rr_bench.testing.copies import Copies, files_of, read, records, text_of
from rr_bench.testing.subject import Subject
from rr_bench.testing.writes import opened

READ = "read()"
BROKEN_JSON = '{"broken'
NOT_UTF_8 = b"\xc3\x28\xff"


@check_of("reader")
def check_reader_gives_a_collection(subject: Subject) -> None:
    """It reads what its settings name, and gives a collection whose ids are texts and whose texts are NFC."""
    try:
        found = read(subject)
    except Exception as error:
        raise BrokenRuleError("a collection that can be ranked and judged", summary(error), READ) from error
    for document in found.documents.values():
        for text in (document.text, document.title):
            if text != nfc(text):
                raise BrokenRuleError("texts in NFC", ascii(text[:40]), f"document {document.id!r}")
    for query in found.queries.values():
        if query.text != nfc(query.text):
            raise BrokenRuleError("texts in NFC", ascii(query.text[:40]), f"query {query.id!r}")


@check_of("reader")
def check_reader_reads_the_same_twice(subject: Subject) -> None:
    """The same files and settings give the same collection, from the same reader and from another one."""
    reader = subject.load()
    first, again, other = reader.read(), reader.read(), read(subject)
    for what, found in (("read() called twice", again), ("two readers", other)):
        if example := _different(first, found):
            raise BrokenRuleError("the same collection of the same files", example, what)


@check_of("reader")
def check_reader_names_its_files(subject: Subject) -> None:
    """`files()` names all that it reads, or a change of a file would not be seen."""
    named, reader = set(files_of(subject)), subject.load()
    reader.read()  # what is imported meanwhile is read too
    with opened() as seen:
        reader.read()
    for path, writes in seen:
        if writes and "__pycache__" not in path.parts:
            raise BrokenRuleError("a reader writes nothing", f"it writes {path}", READ)
        if path not in named and path.resolve() not in {one.resolve() for one in named} and not _code(subject, path):
            raise BrokenRuleError("files() names all files that are read", f"it opens {path} too", "files()")


def _code(subject: Subject, path: Path) -> bool:
    """Whether a file is part of Python, of what is installed, of the reader's own package, or of the system."""
    module = sys.modules[subject.target.__module__.partition(".")[0]]
    own = [Path(one) for one in getattr(module, "__path__", ())]
    places = [Path(sys.prefix), Path(sys.base_prefix), Path("/dev"), Path("/proc"), Path("/sys"), Path("/etc"), *own]
    code = path.suffix in (".py", ".pyc", ".so") or "site-packages" in path.parts
    return code or any(map(path.is_relative_to, places))


@check_of("reader")
def check_reader_takes_other_line_ends(subject: Subject) -> None:
    """A byte-order mark and the line ends of Windows change nothing, in any file of text."""
    copies = Copies(subject, "line ends")
    plain = copies.read()
    for what, written in (("a byte-order mark", _with_mark), ("\\r\\n line ends", _with_returns)):
        for path in copies.files:
            if (text := text_of(path)) is None:
                continue
            path.write_bytes(written(text))
            try:
                example = _different(plain, copies.read())
            except Exception as error:
                raise BrokenRuleError(f"{what} changes nothing", summary(error), path.name) from error
            if example:
                raise BrokenRuleError(f"{what} changes nothing", example, path.name)
            copies.restore()


def _with_mark(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.encode()


def _with_returns(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


@check_of("reader")
def check_reader_names_a_missing_file(subject: Subject) -> None:
    """A file that is missing, or empty, is a DataError that names it; one that a reader can do without is none."""
    copies = Copies(subject, "missing")
    for what, damage in (("missing", Path.unlink), ("empty", _emptied)):
        for path in copies.files:
            damage(path)
            if what == "missing" or path.stat().st_size == 0:
                _told(copies, path, f"a DataError that names the file that is {what}", what, None, silent=True)
            copies.restore()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


@check_of("reader")
def check_reader_names_a_wrong_byte(subject: Subject) -> None:
    """A byte that is not UTF-8 is a DataError that names file and line, and no replaced character."""
    copies, tried = Copies(subject, "bytes"), False
    for path in copies.files:
        if text_of(path) is None:
            continue
        tried, lines = True, path.read_bytes().split(b"\n")
        place = _middle([line.decode() for line in lines])
        line = lines[place]
        lines[place] = line[: len(line) // 2] + NOT_UTF_8 + line[len(line) // 2 :]
        path.write_bytes(b"\n".join(lines))
        _told(copies, path, "a DataError that names file and line of a byte that is not UTF-8", "0xFF", place + 1)
        copies.restore()
    _must_apply(tried)


@check_of("reader")
def check_reader_names_a_broken_row(subject: Subject) -> None:
    """A row of JSON, or of columns, that is cut short is a DataError that names it: no shorter collection, and no error
    of json."""
    copies, tried = Copies(subject, "rows"), False
    for path in copies.files:
        text = text_of(path)
        if text is None:
            continue
        lines = text.split("\n")
        if (separator := _columns(lines)) is not None:
            tried, place = True, _middle(lines)
            first = lines[place].split(separator)[0]
            path.write_text("\n".join([*lines[:place], first, *lines[place + 1 :]]), encoding="utf-8")
            _told(copies, path, "a DataError that names file and line of a row that is cut", first, place + 1)
            copies.restore()
        if records(text) is None and not _is_json(text):
            continue
        tried = True
        if records(text) is None:  # one value, over however many lines
            path.write_text(text.rstrip()[:-1], encoding="utf-8")
            _told(copies, path, "a DataError that names the file whose end is missing", "its last character", None)
            copies.restore()
            continue
        place = _middle(lines)
        path.write_text("\n".join([*lines[:place], BROKEN_JSON, *lines[place + 1 :]]), encoding="utf-8")
        _told(copies, path, "a DataError that names file and line of a broken row", BROKEN_JSON, place + 1)
        copies.restore()
        last = max(number for number, line in enumerate(lines) if line.strip())
        path.write_text("\n".join([*lines[:last], lines[last][: len(lines[last]) // 2]]), encoding="utf-8")
        _told(
            copies, path, "a DataError that names file and line of a row that is cut", "the last row's half", last + 1
        )
        copies.restore()
    _must_apply(tried, "it reads neither JSON nor columns, in which a broken row can be told")


@check_of("reader")
def check_reader_names_what_comes_twice(subject: Subject) -> None:
    """A second row of the same id with another text is a DataError, a note, or one more document or query: never the
    quiet end of the first."""
    copies, tried = Copies(subject, "twice"), False
    plain = copies.read()
    for path in copies.files:
        text = text_of(path)
        rows = None if text is None else records(text)
        if rows is None or text is None:
            continue
        tried, row = True, dict(rows[0])
        longest = max(
            (key for key, value in row.items() if isinstance(value, str)), key=lambda k: len(row[k]), default=""
        )
        if not longest or " " not in row[longest]:  # no text, but ids alone
            continue
        row[longest] += " again"
        again = json.dumps(row, ensure_ascii=False)
        path.write_text(text.rstrip("\n") + "\n" + again + "\n", encoding="utf-8")
        try:
            found = copies.read()
        except DataError:
            copies.restore()
            continue
        except Exception as error:
            raise BrokenRuleError("a DataError about what comes twice", summary(error), again) from error
        if found.notes == plain.notes and _sizes(found) == _sizes(plain):
            what = "one of the two is gone, and nothing says so"
            raise BrokenRuleError("what comes twice is told", what, f"{path.name}: {again[:80]}")
        copies.restore()
    _must_apply(tried, "it reads no JSON lines, in which a row can be written twice")


def _told(copies: Copies, path: Path, rule: str, example: str, line: int | None, silent: bool = False) -> None:
    """Raises BrokenRuleError unless reading fails with a DataError that names the file, and where there is a line, a
    place in it. `silent`: it may also give a collection."""
    shown = f"{path.name}: {example}"
    try:
        found = copies.read()
    except DataError as error:
        message = str(error)
        if path.name not in message:
            raise BrokenRuleError(rule, f"the file is not named: {message}", shown) from error
        if line is not None and not re.search(r"\d", message.partition(path.name)[2]):
            raise BrokenRuleError(rule, f"no line is named: {message}", shown) from error
        return
    except Exception as error:
        raise BrokenRuleError(rule, summary(error), shown) from error
    if not silent:
        held = f"{len(found.documents)} documents, {len(found.queries)} queries"
        raise BrokenRuleError(rule, f"a collection of {held}, as if nothing were wrong", shown)


def _must_apply(tried: bool, why: str = "it reads no files of text") -> None:
    if not tried:
        raise NotApplicableError(why)


def _middle(lines: list[str]) -> int:
    """The place of a line in the middle that is not blank, and not the first where there is another."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    return filled[len(filled) // 2]


def _columns(lines: list[str]) -> str | None:
    """What stands between the cells of a table, each row of which has as many; None of what seems to be none."""
    filled = [line for line in lines if line.strip()]
    for separator, fewest in (("\t", 2), (",", 2), (" ", 3)):
        counts = {len(line.strip().split(separator)) for line in filled}
        if len(filled) > 2 and len(counts) == 1 and min(counts) >= fewest and not records("\n".join(lines)):
            return separator
    return None


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _sizes(collection: Collection) -> tuple[int, ...]:
    negatives = sum(map(len, collection.hard_negatives.values()))
    return len(collection.documents), len(collection.queries), sum(map(len, collection.qrels.values())), negatives


def _different(first: Collection, other: Collection) -> str:
    """What of two collections is not the same, as far as texts without their blanks; empty where all is."""
    for field in fields(Collection):
        before, after = (_comparable(getattr(one, field.name)) for one in (first, other))
        if before == after and (not isinstance(before, dict) or list(before) == list(after)):
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            if list(before) == list(after):
                key = next(key for key in before if before[key] != after[key])
                return f"{field.name}[{key!r}] is {before[key]!r:.80} and {after[key]!r:.80}"
            odd = next((repr(one) for one in (*before, *after) if (one in before) != (one in after)), "in their order")
            return f"{field.name} differ: {len(before)} and {len(after)}, first {odd}"
        return f"{field.name}: {before!r:.80} and {after!r:.80}"
    return ""


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return folded(value)
    if isinstance(value, dict):
        return {key: _comparable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return tuple(_comparable(getattr(value, field.name)) for field in fields(value))
    return value
