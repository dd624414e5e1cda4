"""The tables as LaTeX (booktabs), to be read by `\\input` from a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.report import compact, escape
from rr_bench.report.sections import Section, of_dataset, of_suite

HEAD = "% needs \\usepackage{booktabs}; letters that your font lacks need XeLaTeX or LuaLaTeX and another font\n"
COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "Δ": r"$\Delta$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "–": "--",
    "—": "---",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}
SPECIAL = re.compile("[" + re.escape("".join(COMMANDS)) + "]")


def text(value: str) -> str:
    """One line that LaTeX sets as it is written, and that commands nothing."""
    line = " ".join(escape.terminal(value).split())
    return re.sub("-(?=-)", "-{}", SPECIAL.sub(lambda found: COMMANDS[found[0]], line))


def latex(result: BenchResult) -> str:
    """A table a data set, and one for each group of queries and for the mean over the suite. The best is bold, letters
    are superscripts, and what failed says so."""
    parts = [HEAD]
    for dataset in result.datasets:
        if dataset.failure:
            parts.append(f"\\noindent\\textbf{{{text(dataset.name)}: FAILED}} {text(dataset.failure)}\n")
            continue
        parts.append(_table(dataset, result))
        parts += map(_section, of_dataset(dataset, result))
    parts += map(_section, of_suite(result))
    return "\n".join(parts)


def _table(dataset: DatasetResult, result: BenchResult) -> str:
    leading, *others = result.metrics
    there = compact.columns(result, dataset)
    names = [
        name for name in (compact.NAME, compact.STATE, leading, compact.DELTA, *others, compact.MS) if name in there
    ]
    lines = [_line(row, result, names) for row in dataset.rows]
    notes = f"{compact.legend(result, dataset)}; ms: of a query, * on the Pareto front"
    letters = "; rows that share a letter do not differ" if any(row.letters for row in dataset.rows) else ""
    caption = f"{dataset.name}: {len(dataset.query_ids)} test queries, {dataset.protocol}. {notes}{letters}."
    aligned = "".join("l" if name in (compact.NAME, compact.STATE) else "r" for name in names)
    return _environment(aligned, [text(name) for name in names], lines, caption)


def _line(row: Row, result: BenchResult, names: Sequence[str]) -> str:
    if not row.metrics:
        what, why = ("FAILED", row.failure) if row.failure else ("skipped", row.skipped)
        width = len(names) - 1
        told = f"\\textit{{{what}: {text(why)}}}"
        return f"{text(row.reranker)} & \\multicolumn{{{width}}}{{l}}{{{told}}}" if width else text(row.reranker)
    found, leading, best = compact.cells(row, result), result.metrics[0], compact.best(row, result)
    cells = []
    for name in names:
        shown = text(compact.mean_and_half(row.metrics[leading]) if name == leading else found[name])
        if name not in (compact.NAME, compact.STATE):
            shown = re.sub("^-", "$-$", shown)
        shown = f"\\textbf{{{shown}}}" if best.get(name) else shown
        cells.append(shown + (f"\\textsuperscript{{{text(row.letters)}}}" if name == leading and row.letters else ""))
    return " & ".join(cells)


def _section(section: Section) -> str:
    lines = [" & ".join(map(text, row)) for row in section.rows]
    caption = ". ".join((section.title, *section.notes))
    return _environment("l" + "r" * (len(section.header) - 1), list(map(text, section.header)), lines, caption)


def _environment(columns: str, header: Sequence[str], lines: Sequence[str], caption: str) -> str:
    # behind \\ a bracket would be a length, and a star an order
    body = "".join(f"{'{}' * line.startswith(('[', '*'))}{line} \\\\\n" for line in lines)
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{text(caption)}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n"
        f"{' & '.join(header)} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )
