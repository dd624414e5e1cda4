"""`rr data add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rr_bench.cli.options import given_path
from rr_bench.cli.printing import tell


def add(
    name: Annotated[str, typer.Argument(help="What the data set shall be called.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(parser=given_path, help="Its files, or its folder.", show_default=False)
    ] = None,
    reader: Annotated[
        str | None, typer.Option("--reader", help="The reader (else the one that knows these files).")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Of the reader, over what is guessed (repeatable)."),
    ] = None,
    missing: Annotated[
        str, typer.Option("--missing", metavar="fail|skip", help="What becomes of rows that cannot be used.")
    ] = "fail",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without a question.")] = False,
    registry: Annotated[
        Path | None,
        typer.Option(
            "--registry", parser=given_path, help="registry.yaml to write (else $RR_REGISTRY, ./registry.yaml)."
        ),
    ] = None,
) -> None:
    """Add data of your own to a registry: guess the reader and the columns, show a sample and the damage, prepare.

    Example: rr data add mine beir-folder/
    """
    import sys
    from typing import get_args

    from rr.data.damage import Missing
    from rr.errors import DataError, RerankError, nearest
    from rr.registry.plugins import installed_plugins
    from rr_bench.cli.data_shown import show_damage, show_sample, show_sizes
    from rr_bench.cli.options import RichProgress
    from rr_bench.data.load import load_dataset
    from rr_bench.own.added import OWN, Addition, entry_of, registry_to_write
    from rr_bench.own.edited import dumped
    from rr_bench.own.recognise import recognised
    from rr_bench.schema import merged

    if missing not in get_args(Missing):
        raise RerankError(f"--missing {missing!r} is none of fail, skip{nearest(missing, list(get_args(Missing)))}")
    target, plugins = registry_to_write(registry), installed_plugins()
    given = _options(option or [])
    found, guessed = recognised(plugins, paths or [], reader)
    entry = entry_of(plugins, found, merged(guessed, given), target, missing)
    addition = Addition.planned(target, name, entry)
    try:
        dataset = load_dataset(name, addition.registry().dataset(name), RichProgress(), plugins)
    except DataError as error:
        mend = str(error).replace("leave them out by `missing: skip`", "leave them out by --missing skip")
        raise DataError(mend) from error
    tell(f"reader {found}:")
    for line in dumped(entry).rstrip("\n").split("\n"):
        tell(f"  {line}")
    show_sizes(dataset)
    show_sample(dataset, 3)
    show_damage(dataset)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"Write it into {target}?", err=True):
        tell(f"{target} is left as it is", err=True)
        raise typer.Exit(1)
    addition.write(dataset)
    where = f" --registry {target}" if registry is not None else ""
    profile = "" if addition.registry(dataset).default_profile == OWN else f" --profile {OWN}"
    tell(f"wrote {target}; next: rr bench --all{profile}{where}", err=True)


def _options(given: list[str]) -> dict[str, object]:
    """`key=value`, or `key.inner=value`; values as YAML reads them.

    Raises:
        RerankError: one is none, or comes twice.
    """
    import yaml

    from rr.errors import RerankError
    from rr_bench.schema import merged
    from rr_bench.strict_yaml import read_yaml

    found: dict[str, object] = {}
    seen = set()
    for one in given:
        path, equals, text = one.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise RerankError(f"--option {one!r} is no KEY=VALUE")
        if path in seen:
            raise RerankError(f"--option {path} is given twice; keep one")
        seen.add(path)
        try:
            value: object = read_yaml(text)
        except (yaml.YAMLError, ValueError):
            value = text  # a path may hold what YAML has another use for
        for key in reversed(keys):
            value = {key: value}
        assert isinstance(value, dict)
        found = merged(found, value)
    return found
