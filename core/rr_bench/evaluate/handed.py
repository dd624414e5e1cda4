"""What is handed out of a bench (`rr_bench.evaluate.handing`), as a worker does it: functions of plain data, which
leave what they compute in `$RR_HOME`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rr.errors import RerankError
from rr.files import device_name, fingerprint, home, is_sealed, outdated
from rr.measures import metric
from rr.protocols import Reranker
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.validation import validated
from rr.types import Dataset
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.store import read_dataset
from rr_bench.data.view import shown
from rr_bench.evaluate.asking import Asking, Bench, Leaf
from rr_bench.keys import reranker_key
from rr_bench.members import Part
from rr_bench.progress import SILENT
from rr_bench.registry import DatasetEntry
from rr_bench.registry_files import from_record, recordable
from rr_bench.resolve import resolve
from rr_bench.schema import RerankerEntry
from rr_bench.train.training import checkpoint_folder

Plain = Mapping[str, Any]
"""As JSON has it."""


def prepared(data: Plain) -> int:
    """Prepares a data set, or its folds; gives how many data sets that are."""
    return len(datasets(data))


def trained(**asked: Any) -> bool:
    """Trains what is to be trained of an entry. As of all that follow: whether it scored anything."""
    _asking(**asked)
    return False


def scored(leaf: str, number: int, **asked: Any) -> bool:
    """Scores one part of the test split."""
    return _asking(**asked).score_part(leaf, number)


def answered(**asked: Any) -> bool:
    """Asks an entry all that its row needs, but for what it costs."""
    asking = _asking(**asked)
    _, found = asking.answers(asking.weights())
    return not all(one.scored.stored for one in found)


_last: dict[str, Asking] = {}
_loaded: dict[str, Reranker] = {}
"""What this process was asked about last, and the model that it loaded last, which are often meant again."""


def _asking(
    data: Plain, fold: int, part: Plain, metrics: Sequence[str], keys: Plain, checkpoints: Mapping[str, str]
) -> Asking:
    """`checkpoints`: of leaves that do not train one, its name in the store, empty for none.

    Raises:
        RerankError: a training broke; or this machine computes otherwise than the one that hands out the work.
    """
    key = fingerprint([data, fold, part])
    if key not in _last:
        _last.clear()
        dataset, plugins, entry = datasets(data)[fold], installed_plugins(), _given(part_of_plain(part), checkpoints)
        _must_agree(keys, leaf_keys(entry, dataset, plugins))
        view, measures = shown(dataset), {metric(name): () for name in metrics}
        bench = Bench(dataset, view, view.requests("test"), measures, (), None, plugins, SILENT)
        _last[key] = Asking(entry, bench, _loading)
    return _last[key]


def _loading(leaf: Leaf) -> Reranker:
    key = fingerprint(leaf.key)
    if key not in _loaded:
        _loaded.clear()  # before another one takes its room
        _loaded[key] = leaf.load()
    return _loaded[key]


def leaf_keys(part: Part, dataset: Dataset, plugins: Plugins) -> dict[str, list[str]]:
    """Leaf → all that decides what it answers and how it is trained on this data set, and the device.

    Raises:
        RerankError: a component cannot be found or imported, or its settings are wrong.
    """
    found = {}
    for leaf in part.leaves:
        resolved = resolve(plugins, leaf.name, leaf.entry)
        training = checkpoint_folder(plugins, resolved, dataset).name if leaf.entry.trains else ""
        device = device_name() if "torch" in sys.modules else "cpu"
        found[leaf.name] = [reranker_key(resolved), training, device]
    return found


def _must_agree(there: Plain, here: Plain) -> None:
    for name, told in there.items():
        if here[name][:2] != told[:2]:
            raise RerankError(
                f"{socket.gethostname()} would compute {name!r} otherwise than the machine that this bench runs on: it "
                f"has another device (here {told[2]}, there {here[name][2]}), other releases, code or files; run "
                "'rr bench' on a machine like the workers, and say 'resources: {gpus: 1}' where they need a GPU"
            )


def datasets(data: Plain) -> list[Dataset]:
    """
    Raises:
        RerankError: it cannot be prepared; or it was prepared elsewhere, and is not in the store.
    """
    if "folders" in data:
        return [_prepared_elsewhere(name) for name in data["folders"]]
    entry = validated(DatasetEntry, from_record(data["entry"]), f"data set {data['name']!r}")
    if data["folds"] is None:
        return [load_dataset(data["name"], entry)]
    return load_folds(data["name"], entry, data["folds"])


def _prepared_elsewhere(name: str) -> Dataset:
    folder = home() / "data" / name
    if not is_sealed(folder, name):
        raise RerankError(f"{socket.gethostname()} does not find data/{name} in the store; run the same command again")
    return read_dataset(folder, sealed=True)


def plain_part(part: Part) -> dict[str, Any]:
    entry = recordable(part.entry.model_dump(exclude_unset=True))
    members = list(map(plain_part, part.members))
    return {"name": part.name, "entry": entry, "members": members, "entry_name": part.entry_name}


def _given(part: Part, checkpoints: Mapping[str, str]) -> Part:
    """The part, whose leaves are given the checkpoints that were chosen where the work was handed out."""
    entry, name = part.entry, checkpoints.get(part.name)
    if name is not None:
        folder = home() / (name or ".")
        outdated(folder)  # which is when it is fetched
        entry = entry.model_copy(update={"checkpoint": str(folder) if name else "none"})
    return replace(part, entry=entry, members=tuple(_given(member, checkpoints) for member in part.members))


def part_of_plain(told: Plain) -> Part:
    """What `plain_part` was given."""
    entry = validated(RerankerEntry, from_record(told["entry"]), f"reranker {told['name']!r}")
    return Part(told["name"], entry, tuple(map(part_of_plain, told["members"])), told["entry_name"])
