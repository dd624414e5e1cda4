"""registry.yaml: the shipped file documents its own schema, and every mistake in it is one line that can be mended."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rr.errors import RegistryError
from rr_bench.registry import CandidatePlan, Registry, find_registry, load_registry
from rr_bench.schema import RerankerEntry
from tests.preparing import GENERATORS, READERS

SHIPPED = Path(__file__).parents[2] / "registry.yaml"

MINIMAL = """\
version: 1
default_profile: small
profiles:
  small: {suite: rooms}
suites:
  rooms:
    datasets:
      flats: {generator: rentals}
rerankers:
  bm25: {scorer: bm25}
"""


def error_of(tmp_path: Path, content: str | bytes) -> str:
    """The message about a registry of that content, which is one line and starts with the file."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def registry_of(tmp_path: Path, content: str = MINIMAL) -> Registry:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    return load_registry(path)


# the shipped file


def test_the_shipped_registry_loads_and_every_profile_of_it_resolves() -> None:
    registry = load_registry(SHIPPED)
    for name in registry.profiles:
        suite = registry.suite(registry.profile(name).suite)
        assert suite.baseline in registry.rerankers
        assert suite.datasets
        for reranker in registry.rerankers:
            registry.reranker(reranker, name)  # raises where an override does not fit


def test_no_option_that_was_chosen_for_an_embedded_base_is_kept_for_a_real_one() -> None:
    registry = load_registry(SHIPPED)
    trained = 0
    for name, keys in registry.profiles["full"].overrides.items():
        if chosen := registry.rerankers[name].training:
            assert chosen.keys() <= keys["training"].keys(), name
            trained += 1
    assert trained == 3


@pytest.mark.parametrize("key", ["baseline", "oracle_baseline"])
def test_a_baseline_that_does_not_exist_is_an_error(tmp_path: Path, key: str) -> None:
    told = error_of(tmp_path, MINIMAL.replace("  rooms:\n", f"  rooms:\n    {key}: bm52\n"))
    assert told == f": suite 'rooms' names {key} 'bm52', which does not exist; did you mean 'bm25'?"
    assert registry_of(tmp_path, MINIMAL.replace("  rooms:\n", f"  rooms:\n    {key}: bm25\n"))
    assert registry_of(tmp_path).suites["rooms"].baseline == "first-stage", (
        "a default that is missing is told in the table"
    )


def documented(model: type[BaseModel], depth: int = 0) -> Iterator[tuple[int, str, str, str]]:
    """(depth, key, type, default) of every field, as the comment spells them."""
    for name, field in model.model_fields.items():
        yield depth, name, spelled_type(field.annotation), spelled_default(field)
        inner = model_within(field.annotation)
        if inner is not None:
            yield from documented(inner, depth + 1)


def spelled_type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " | ".join(spelled_type(argument) for argument in arguments)
    if origin is Literal:
        names = {argument if isinstance(argument, int) else type(argument).__name__ for argument in arguments}
        return " | ".join(map(str, names))
    if origin is tuple:
        return f"[{spelled_type(arguments[0])}]"
    if origin is dict:
        if arguments[1] is Any:
            return "{...}"
        nested = get_origin(arguments[1]) is dict
        return "{name: {...}}" if nested else "{name: ...}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "{...}"
    return "null" if annotation is type(None) else annotation.__name__


def spelled_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        assert not value.model_fields_set, "a section's default is that of its own keys"
        return "{}"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, bool):  # which, as a key of a dictionary, would be the same as 1 and 0
        return str(value).lower()
    return {None: "null", "": '""'}.get(value, str(value)) if value != {} else "{}"


def model_within(annotation: Any) -> type[BaseModel] | None:
    options = [annotation]
    for option in options:  # of lists and alternatives, too
        options += get_args(option)
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)


def commented() -> list[tuple[int, str, str, str, str]]:
    """(depth, key, type, default, description) of every key in the leading comment of the shipped file."""
    rows: list[tuple[int, str, str, str, str]] = []
    for line in SHIPPED.read_text(encoding="utf-8").split("\n"):
        if not line.startswith("#"):
            break
        key = re.fullmatch(r"# ((?:  )*)([a-z_]+): (\S.*)", line)
        if key is None:
            if rows and line.startswith("#  "):  # a description that goes on
                rows[-1] = (*rows[-1][:4], f"{rows[-1][4]} {line[1:].strip()}")
            continue
        spelled, _, description = key[3].partition("  ")
        value = re.fullmatch(r"(.+?) (?:= (.+)|\((required)\))", spelled)
        assert value is not None, f"type or default is missing: {line}"
        rows.append((len(key[1]) // 2, key[2], value[1], value[2] or value[3], description.strip()))
    return rows


def test_the_leading_comment_holds_every_key_with_its_type_and_default() -> None:
    assert [row[:4] for row in commented()] == list(documented(Registry))


def test_the_comment_names_every_value_that_a_key_takes() -> None:
    described = {key: text for _, key, _, _, text in commented()}
    taken = {key: get_args(CandidatePlan.model_fields[key].annotation) for key in ("protocol", "order")}
    taken |= {
        key: get_args(RerankerEntry.model_fields[key].annotation)
        for key in ("beyond", "permutation", "method", "normalisation")
    }
    taken |= {"reader": (*READERS, *GENERATORS)}
    for key, values in taken.items():
        assert values
        for value in values:
            assert re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", described[key]), (key, value)


# mistakes


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("scorer: bm25", "scorrer: bm25", "'rerankers.bm25.scorrer'; did you mean 'scorer'?"),
        ("default_profile: small", "defaultprofile: small", "'defaultprofile'; did you mean 'default_profile'?"),
        ("{suite: rooms}", "{suite: rooms, Reranker: []}", "'profiles.small.Reranker'; did you mean 'rerankers'?"),
        ("    datasets:", "    metric: []\n    datasets:", "'suites.rooms.metric'; did you mean 'metrics'?"),
        ("{gen", "{optoins: {}, gen", "'suites.rooms.datasets.flats.optoins'; did you mean 'options'?"),
        ("{gen", "{split: {tests: 1}, gen", "'suites.rooms.datasets.flats.split.tests'; did you mean 'test'?"),
        ("{gen", "{candidates: {dept: 1}, gen", "'suites.rooms.datasets.flats.candidates.dept'; did you mean 'depth'?"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_key(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert error_of(tmp_path, MINIMAL.replace(right, wrong, 1)) == f": unknown key {message}"


def test_a_required_key_that_is_misspelt_is_a_typo_first_and_missing_second(tmp_path: Path) -> None:
    message = error_of(tmp_path, MINIMAL.replace("suite: rooms", "suit: rooms"))
    assert message == ": unknown key 'profiles.small.suit'; did you mean 'suite'? (and 1 more)"


def test_a_key_that_is_near_nothing_is_answered_with_all(tmp_path: Path) -> None:
    message = error_of(tmp_path, MINIMAL.replace("{suite: rooms}", "{suite: rooms, xyz: 1}"))
    assert message == ": unknown key 'profiles.small.xyz'; known: overrides, price, rerankers, suite"


MISTAKES = {
    "tab": (
        MINIMAL.replace("  bm25:", "\tbm25:"),
        r":10: found character '\\t' that cannot start any token; indent with spaces, not tabs",
    ),
    "duplicate reranker": (MINIMAL + "  bm25: {scorer: other}\n", ":11: 'bm25' stands here and on line 10; rename one"),
    "duplicate section": (
        MINIMAL + "suites:\n  more: {datasets: {}}\n",
        ":11: 'suites' stands here and on line 5; rename one",
    ),
    "duplicate key in one line": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, window: 3, window: 4}"),
        ":10: 'window' stands here and on line 10; rename one",
    ),
    "duplicate in free settings": (
        MINIMAL + "  other:\n    scorer: bm25\n    settings:\n      a: 1\n      a: 2\n",
        ":15: 'a' stands here and on line 14; rename one",
    ),
    "version 2": (MINIMAL.replace("version: 1", "version: 2"), ": version: Input should be 1"),
    "no version": (MINIMAL.replace("version: 1\n", ""), ": key 'version' is missing"),
    "empty": ("", ": is empty or no mapping; start with 'version: 1'"),
    "only a comment": ("# version: 1\n", ": is empty or no mapping; start with 'version: 1'"),
    "a list": ("- version: 1\n", ": is empty or no mapping; start with 'version: 1'"),
    "a text": ("version 1", ": is empty or no mapping; start with 'version: 1'"),
    "two documents": (MINIMAL + "---\nversion: 1\n", ":11: .*another document"),
    "unclosed": (MINIMAL.replace("{scorer: bm25}", "{scorer: bm25"), ":11: .*expected ',' or '}'"),
    "unknown alias": (MINIMAL.replace("{scorer: bm25}", "*nothing"), ":10: found undefined alias 'nothing'"),
    "a control character": (MINIMAL.replace("bm25}", "bm25\x00}"), ": .*special characters are not allowed"),
    "a wrong type": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, window: ten}"),
        ": rerankers.bm25.window: Input should be a valid integer",
    ),
    "scorer and reranker": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, reranker: random}"),
        ": rerankers.bm25: give exactly one of 'scorer', 'reranker', 'fuse' and 'cascade'",
    ),
    "neither": (MINIMAL.replace("{scorer: bm25}", "{}"), ": rerankers.bm25: give exactly one of 'scorer', 'rer"),
    "trainer of a reranker": (
        MINIMAL.replace("{scorer: bm25}", "{reranker: random, trainer: x}"),
        ": rerankers.bm25: a 'trainer' needs a 'scorer'",
    ),
    "stride without window": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, stride: 2}"),
        ": rerankers.bm25: 'stride' needs a 'window'",
    ),
    "stride beyond window": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, window: 4, stride: 5}"),
        ": rerankers.bm25: 'stride' needs a 'window' that is longer",
    ),
    "stride as long as the window": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, window: 4, stride: 4}"),
        ": rerankers.bm25: 'stride' needs a 'window' that is longer",
    ),
    "stride of a tournament": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, window: 4, stride: 2, beyond: tournament}"),
        ": rerankers.bm25: a tournament has no 'stride'; leave it out, or say 'beyond: window'",
    ),
    "another way beyond": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, beyond: turnament}"),
        ": rerankers.bm25.beyond: Input should be 'window' or 'tournament'",
    ),
    "no permutation": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, permutations: 0}"),
        ": rerankers.bm25.permutations: Input should be greater than 0",
    ),
    "a kind of no permutations": (
        MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, permutation: random}"),
        ": rerankers.bm25: 'permutation: random' needs 'permutations' above 1; one order is the one given",
    ),
    "permutations of a reranker": (
        MINIMAL.replace("{scorer: bm25}", "{reranker: random, permutations: 3}"),
        ": rerankers.bm25: 'permutations' goes with a 'scorer'; a reranker of its own decides what it shows",
    ),
    "a list for a key": (MINIMAL + "  ? [a, b]\n  : {scorer: x}\n", ":11: a key must be a single word or text"),
    "a mapping for a key": (MINIMAL + "  ? {a: b}\n  : {scorer: x}\n", ":11: a key must be a single word or text"),
    "nested too deep": ("[" * 3000, ": nested too deep; flatten it"),
    "override that breaks a rule": (
        MINIMAL.replace("{suite: rooms}", "{suite: rooms, overrides: {bm25: {window: 4, stride: 4}}}"),
        ": profile 'small': profile override of 'bm25': 'stride' needs a 'window' that is longer",
    ),
    "reader and generator": (
        MINIMAL.replace("generator: rentals", "generator: rentals, reader: jsonl"),
        ": unknown key 'suites.rooms.datasets.flats.generator'; known: candidates, group_by, missing, options, reader, "
        "split, unfilled",
    ),
    "nothing left to train on": (
        MINIMAL.replace("generator: rentals", "generator: rentals, split: {dev: 0.5, test: 0.5}"),
        ": suites.rooms.datasets.flats.split: dev \\+ test must stay below 1",
    ),
    "unknown default profile": (
        MINIMAL.replace("default_profile: small", "default_profile: smal"),
        ": default_profile 'smal' is not a profile; did you mean 'small'?",
    ),
    "unknown suite": (
        MINIMAL.replace("suite: rooms", "suite: room"),
        ": profile 'small' names suite 'room', which does not exist; did you mean 'rooms'?",
    ),
    "unknown reranker": (
        MINIMAL.replace("{suite: rooms}", "{suite: rooms, rerankers: [bm25, bm26]}"),
        ": profile 'small' names reranker 'bm26', which does not exist; did you mean 'bm25'?",
    ),
    "unknown override": (
        MINIMAL.replace("{suite: rooms}", "{suite: rooms, overrides: {bm5: {window: 3}}}"),
        ": profile 'small' names reranker 'bm5', which does not exist; did you mean 'bm25'?",
    ),
    "a data set twice": (
        MINIMAL.replace("rerankers:", "  more: {datasets: {flats: {generator: rentals}}}\nrerankers:"),
        ": data set 'flats' stands in suites 'rooms' and 'more'; rename one",
    ),
}


@pytest.mark.parametrize(("content", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    assert re.match(message.replace("?", r"\?").replace("{", r"\{"), error_of(tmp_path, content))


def test_another_encoding_than_utf_8_is_named(tmp_path: Path) -> None:
    content = MINIMAL.replace("{scorer: bm25}", "{scorer: bm25, summary: căn hộ}")
    for encoding in ("utf-16", "utf-32", "cp1258"):
        message = error_of(tmp_path, content.encode(encoding, errors="replace"))
        assert "cannot be read as UTF-8 text" in message
        assert message.endswith("; save it as UTF-8")
    # without a byte order mark, plain English in UTF-16 is UTF-8 with a NUL after every letter
    assert "special characters are not allowed" in error_of(tmp_path, MINIMAL.encode("utf-16-le"))


def test_a_byte_order_mark_is_not_minded(tmp_path: Path) -> None:
    path = tmp_path / "mark.yaml"
    path.write_bytes(MINIMAL.encode("utf-8-sig"))
    assert load_registry(path) == registry_of(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch {path}']",
        "!!python/object/new:os.system ['touch {path}']",
        "!!python/name:os.system",
        "!!python/object/apply:subprocess.Popen [[touch, '{path}']]",
        "!include {path}",
    ],
)
def test_yaml_cannot_run_or_name_python(tmp_path: Path, value: str) -> None:
    touched = tmp_path / "touched"
    content = MINIMAL.replace("{scorer: bm25}", value.format(path=touched))
    assert re.match(r":10: could not determine a constructor for the tag", error_of(tmp_path, content))
    assert not touched.exists()


# names


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    registry = load_registry(SHIPPED)
    for call, message in [
        (
            lambda: registry.reranker("cross-encodr"),
            "no reranker is called 'cross-encodr'; did you mean 'cross-encoder'?",
        ),
        (lambda: registry.suite("embeded"), "no suite is called 'embeded'; did you mean 'embedded'?"),
        (lambda: registry.profile("ful"), "no profile is called 'ful'; did you mean 'full'?"),
        (lambda: registry.dataset("HELPDESKS"), "no data set is called 'HELPDESKS'; did you mean 'helpdesk'?"),
        (lambda: registry.reranker("bm25", "ful"), "no profile is called 'ful'; did you mean 'full'?"),
        (lambda: registry.profile("zzz"), "no profile is called 'zzz'; known: embedded, full"),
    ]:
        with pytest.raises(RegistryError) as caught:
            call()
        assert str(caught.value) == message


def test_without_a_name_the_default_profile_is_meant(tmp_path: Path) -> None:
    registry = registry_of(
        tmp_path, MINIMAL.replace("  small:", "  other: {suite: rooms, rerankers: [bm25]}\n  small:")
    )
    assert registry.profile() == registry.profile("small") != registry.profile("other")


# overrides


OVERRIDDEN = MINIMAL.replace(
    "{suite: rooms}",
    """
    suite: rooms
    overrides:
      model:
        window: 5
        settings: {model: large, deep: {b: 20, c: 30}}
  plain: {suite: rooms}""",
).replace(
    "  bm25: {scorer: bm25}",
    """
  bm25: {scorer: bm25}
  model:
    summary: eine
    scorer: s
    trainer: t
    settings: {model: tiny, length: 128, deep: {a: 1, b: 2}}
    training: {epochs: 3}""",
)


def test_an_override_is_laid_over_the_entry_and_nested_keys_are_merged(tmp_path: Path) -> None:
    registry = registry_of(tmp_path, OVERRIDDEN)
    plain, over = registry.reranker("model", "plain"), registry.reranker("model", "small")
    assert plain == registry.rerankers["model"]
    assert over == registry.reranker("model")  # the default profile
    assert over.settings == {"model": "large", "length": 128, "deep": {"a": 1, "b": 20, "c": 30}}
    assert (over.window, over.training, over.summary, over.trainer) == (5, {"epochs": 3}, "eine", "t")
    assert plain.settings == {"model": "tiny", "length": 128, "deep": {"a": 1, "b": 2}}
    assert registry.reranker("bm25", "small") == registry.rerankers["bm25"]


def test_an_override_that_does_not_fit_is_explained_when_the_registry_loads(tmp_path: Path) -> None:
    wrong = "  plain: {suite: rooms}\n  wrong: {suite: rooms, overrides: {model: {windw: 5}}}"
    message = error_of(tmp_path, OVERRIDDEN.replace("  plain: {suite: rooms}", wrong))
    assert message == ": profile 'wrong': profile override of 'model': unknown key 'windw'; did you mean 'window'?"


def test_merge_keys_and_aliases_of_yaml_work(tmp_path: Path) -> None:
    content = MINIMAL + "  a: &a\n    scorer: bm25\n    window: 4\n  b:\n    <<: *a\n    window: 6\n  c: *a\n"
    registry = registry_of(tmp_path, content)
    assert [registry.rerankers[name].window for name in "abc"] == [4, 6, 4]
    assert {registry.rerankers[name].scorer for name in "abc"} == {"bm25"}


def test_a_key_that_replaces_a_merged_one_is_no_duplicate_wherever_it_is_merged_again(tmp_path: Path) -> None:
    long = "settings: &long {<<: {model: m, length: 128}, length: 512}"
    content = MINIMAL.replace("{suite: rooms}", f"{{suite: rooms, overrides: {{bm25: {{{long}}}}}}}")
    registry = registry_of(tmp_path, content + "  long: {scorer: bm25, settings: {<<: *long}}\n")
    assert registry.rerankers["long"].settings == {"model": "m", "length": 512}
    assert registry.reranker("bm25").settings == {"model": "m", "length": 512}


# where it is found


def test_the_registry_is_looked_for_in_the_documented_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("explicit", "environment", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "registry.yaml").write_text(MINIMAL.replace("small", name), encoding="utf-8")

    def found(path: Path | None = None) -> str:
        return load_registry(path).default_profile

    monkeypatch.chdir(tmp_path)
    assert found() == "embedded"
    assert find_registry().read_bytes() == SHIPPED.read_bytes()
    monkeypatch.chdir(tmp_path / "folder")
    assert found() == "folder"
    monkeypatch.setenv("RR_REGISTRY", str(tmp_path / "environment" / "registry.yaml"))
    assert found() == "environment"
    assert found(tmp_path / "explicit" / "registry.yaml") == "explicit"
    monkeypatch.setenv("RR_REGISTRY", "")
    assert found() == "folder"


def test_a_named_registry_that_is_missing_is_an_error_and_no_other_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registry.yaml").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    missing = tmp_path / "missing.yaml"
    for path, variable in ((missing, ""), (None, str(missing)), (tmp_path, "")):
        monkeypatch.setenv("RR_REGISTRY", variable)
        with pytest.raises(RegistryError) as caught:
            load_registry(path)
        expected = "no such registry file; check --registry and $RR_REGISTRY"
        assert str(caught.value) == f"{path or missing}: {expected}"
