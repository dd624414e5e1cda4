"""What a bench has of its own, put where workers find it that see a store (`rr_bench.engine.store`) and nothing else of
its machine: neither its `$RR_HOME`, nor what its data sets are read from, nor a checkpoint that is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rr.files import outdated
from rr.registry.plugins import Plugins
from rr.types import Dataset
from rr_bench.data.load import kept_folders
from rr_bench.engine.store import Store
from rr_bench.evaluate.asking import Leaf
from rr_bench.evaluate.handed import Plain, datasets
from rr_bench.evaluate.store import parts_folder
from rr_bench.members import Part
from rr_bench.registry import DatasetEntry
from rr_bench.resolve import resolve
from rr_bench.train.checkpoints import Choice, chosen_checkpoint
from rr_bench.train.training import trained_before


@dataclass
class Offered:
    store: Store
    plugins: Plugins
    _leaves: dict[tuple[str, str], Leaf] = field(default_factory=dict, init=False)

    def data(self, told: Plain, entry: DatasetEntry) -> Iterator[Plain]:
        """The data set as workers are told of it, once it is prepared here; nothing where it cannot be."""
        try:
            datasets(told)
            folders = kept_folders(told["name"], entry, told["folds"])
        except Exception:  # noqa: BLE001 - the bench meets it, too, and tells it
            return
        for folder in folders:
            self.store.offer(folder)
        yield {**told, "folders": [folder.name for folder in folders]}

    def known(self, leaf: Part, dataset: Dataset) -> None:
        """What is here of its training, and of its answers to the test split."""
        if leaf.entry.trains:
            resolved = resolve(self.plugins, leaf.called, leaf.entry)
            checkpoint = trained_before(self.plugins, resolved, dataset)
            if checkpoint is None:
                return
            self.store.offer(checkpoint.folder)
            asked = Leaf(resolved, Choice(checkpoint))
        else:
            asked = self._chosen(leaf, dataset)
        for part in sorted(parts_folder(asked.key_on(dataset, "test")).glob("part-*.json")):
            if not outdated(part):
                self.store.offer(part)

    def checkpoints(self, part: Part, dataset: Dataset) -> dict[str, str]:
        """Of leaves that name a checkpoint, its name in the store; empty where there is none."""
        found = {}
        for leaf in part.leaves:
            if leaf.entry.checkpoint not in ("train", "none"):
                choice = self._chosen(leaf, dataset).choice
                found[leaf.name] = "" if choice.folder is None else f"checkpoints/given-{choice.fingerprint()[:16]}"
        return found

    def _chosen(self, leaf: Part, dataset: Dataset) -> Leaf:
        """With the checkpoint that it is scored with here: another machine would find others."""
        key = (leaf.name, dataset.fingerprint)
        if key not in self._leaves:
            resolved = resolve(self.plugins, leaf.called, leaf.entry)
            choice = chosen_checkpoint(self.plugins, resolved, dataset)
            if choice.folder is not None:
                self.store.offer(choice.folder, f"checkpoints/given-{choice.fingerprint()[:16]}")
            self._leaves[key] = Leaf(resolved, choice)
        return self._leaves[key]
