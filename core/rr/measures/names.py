"""The names of metrics, in the grammar of ir_measures: a measure, its parameters, a cutoff; and a population."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from rr.border import plugin_code
from rr.errors import DataError, PluginError, RegistryError, nearest
from rr.protocols import Settings
from rr.registry.plugins import Registered, installed_plugins
from rr.registry.resolve import checked_settings
from rr.types import Dataset

if TYPE_CHECKING:
    from rr.measures.rankings import Floats, Rankings

Population = Literal["all-users", "valid-retrieval"]
GRAMMAR = re.compile(r"((?:[\w.-]+/)?\w+)(?:\((.*)\))?(?:@(\d+))?(?::(.*))?", re.DOTALL)
ROUNDING = 1e-9  # how far beyond 0 and 1 a value may lie


@dataclass(frozen=True)
class Metric:
    """A measure under the name that it was asked for: its parameters, whether it looks at condensed lists (judged
    documents alone), and the population that it is a mean over, which none names where that is simply every query."""

    name: str
    registered: Registered = field(compare=False, repr=False)
    settings: Settings = field(compare=False, repr=False)
    judged_only: bool = field(default=False, compare=False)
    population: Population | None = field(default=None, compare=False)

    @cached_property
    def function(self) -> "Callable[[Rankings, Any], Floats]":
        """What computes it, imported now. Raises PluginError: it cannot be, or what it needs is not installed."""
        named = f"{self.registered.distribution}/{self.registered.component.name}"
        return installed_plugins().load("measure", named)  # type: ignore[no-any-return]

    def values(self, rankings: "Rankings") -> "Floats":
        """One value a query, from 0 to 1; 0 where nothing was ranked. Raises PluginError: it broke, or gave no such."""
        import numpy as np  # here, for whoever only reads names needs none of it

        who = f"metric {self.name!r} of {self.registered.distribution}"
        function, given = self.function, rankings.condensed() if self.judged_only else rankings
        with plugin_code(f"{who} broke"):
            found = np.array(function(given, self.settings), float)
        if found.shape != given.lengths.shape:
            many = f"{len(given.lengths)} queries; give one value a query"
            raise PluginError(f"{who} gave an array of shape {found.shape} for {many}")
        found = np.where(given.lengths > 0, found, 0.0)
        if (outside := ~((found >= -ROUNDING) & (found <= 1 + ROUNDING))).any():
            raise PluginError(f"{who} gave {found[outside][0]:g}; a measure lies between 0 and 1")
        return found.clip(0.0, 1.0)

    def per_query(self, scores: Mapping[str, float], judgements: Mapping[str, int]) -> float:
        """Of one query: document id → score against document id → grade. ScoringError: a score is NaN or infinite."""
        from rr.measures.rankings import Rankings

        return float(self.values(Rankings.of({"": scores}, {"": judgements}, [""]))[0])


def metric(name: str) -> Metric:
    """`nDCG@10`, `RR`, `AP(rel=2)@100`, `nDCG(judged_only=True)@10` …: `rr measures` lists them. Without a cutoff the
    whole ranking counts. With a population: `nDCG@10:valid-retrieval`. Raises RegistryError: no such measure,
    parameter or population, or no value that it takes."""
    where, plugins, parts = f"metric {name!r}", installed_plugins(), GRAMMAR.fullmatch(name)
    if parts is None:
        raise RegistryError(f"{where} is not written as nDCG@10, AP(rel=2)@100 or nDCG@10:valid-retrieval")
    measure, inside, cutoff, asked = parts.groups()
    if asked is not None and asked not in get_args(Population):
        raise RegistryError(f"{where}: no population is called {asked!r}{nearest(asked, list(get_args(Population)))}")
    try:
        found = plugins.get("measure", measure)
        given = _parameters(where, ", ".join(filter(None, (inside, cutoff and f"cutoff={cutoff}"))))
        if not isinstance(judged_only := given.pop("judged_only", False), bool):
            raise RegistryError(f"{where}: judged_only is True or False, not {judged_only!r}")
        settings = checked_settings(plugins, "measure", f"{found.distribution}/{found.component.name}", given, where)
    except PluginError as error:
        raise RegistryError(f"{where}: {error}") from error
    return Metric(name, found, settings, judged_only, asked)  # type: ignore[arg-type]


def population(dataset: Dataset, split: str, measure: Metric) -> tuple[str, ...]:
    """The ids of the split's queries that the metric is a mean over, in its order; LlamaRec (Yue et al. 2023) has both
    populations: `valid-retrieval`, those with a relevant candidate; `all-users`, where the others keep the retriever's
    ranking: the plain metric. Raises DataError: the data set cannot tell what was found, or nothing was."""
    queries = dataset.splits[split]
    if measure.population is None:
        return queries
    if dataset.protocol == "oracle":
        mend = "set candidates.protocol: end-to-end, or take the population off the metric"
        why = f"what the first stage found, and protocol oracle puts the relevant documents in; {mend}"
        raise DataError(f"metric {measure.name!r} is about {why}")
    if measure.population == "all-users":
        return queries
    valid = tuple(q for q in queries if any(dataset.qrels[q].get(id_, 0) > 0 for id_ in dataset.candidates[q]))
    if not valid:
        found = f"{dataset.retriever} put a relevant document among the candidates of none of the {len(queries)}"
        mend = "raise candidates.depth, or take another retriever"
        raise DataError(f"metric {measure.name!r} has no queries: {found} {split} queries; {mend}")
    return valid


def _parameters(where: str, inside: str) -> dict[str, Any]:
    """What stands between the parentheses, as Python's literals."""
    try:
        call: Any = ast.parse(f"f({inside})", mode="eval").body
        given = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
        if call.args or not isinstance(call.func, ast.Name) or None in given or len(given) < len(call.keywords):
            raise ValueError("not names, each once")
        return given
    except (SyntaxError, ValueError, TypeError, AttributeError, MemoryError, RecursionError) as error:
        raise RegistryError(f"{where}: its parameters are not written as (rel=2) or (p=0.8, rel=1)") from error
