"""Registers the measures, ours and those of ir_measures, like everyone else's. A summary is the formula, of the first k
ranks; `rel` is the least grade that is relevant."""

from __future__ import annotations

from rr import Component, hookimpl

AP = ("average_precision", "BinaryCut", "Σ precision at the ranks of the relevant / number of relevant")
BPREF = ("bpref", "Binary", "mean over the relevant R of 1 - min(R, judged others above) / min(R, judged others)")
NDCG = ("ndcg", "Ndcg", "Σ gain / log₂(rank + 1), divided by that of the ideal ranking of all that is judged")
PRECISION = ("precision", "BinaryNeedsCut", "relevant among the first k / k")
RECALL = ("recall", "BinaryCut", "relevant among the first k / number of relevant")
R_PRECISION = ("r_precision", "Binary", "relevant among the first R / R, R the number of relevant")
RR = ("reciprocal_rank", "BinaryCut", "1 / rank of the first relevant among the first k, else 0")
SUCCESS = ("success", "BinaryCut", "1 if a relevant one is among the first k, else 0")
OURS = {
    # other names first: the nearest to a misspelt one is then the usual name
    "BPref": BPREF,
    "ContextRecall": RECALL,
    "HR": SUCCESS,
    "Hit": SUCCESS,
    "MAP": AP,
    "MRR": RR,
    "NDCG": NDCG,
    "Precision": PRECISION,
    "RPrec": R_PRECISION,
    "Recall": RECALL,
    "AP": AP,
    "Bpref": BPREF,
    "ContextPrecision": ("context_precision", "BinaryCut", "Σ precision at the ranks of the relevant / found of them"),
    "ERR": (
        "expected_reciprocal_rank",
        "Err",
        "Σ r / rank · Π over those above of (1 - r), r = (2^grade - 1) / 2^max_rel",
    ),
    "Judged": ("judged", "NeedsCut", "judged among the first k / k, or / how many are ranked"),
    "P": PRECISION,
    "R": RECALL,
    "RBP": ("rank_biased_precision", "Rbp", "(1 - p) · Σ gain · p^(rank - 1)"),
    "RR": RR,
    "Rprec": R_PRECISION,
    "Success": SUCCESS,
    "nDCG": NDCG,
}
"""Name → function, settings, formula."""

CWL, NDEVAL = "cwl-eval", "pyndeval"
OF_IR_MEASURES = {
    "AP_IA": ("ApIa", NDEVAL, "AP, mean over the subtopics"),
    "MAP_IA": ("ApIa", NDEVAL, "AP, mean over the subtopics"),
    "Accuracy": ("Accuracy", "", "share of the pairs of a relevant and another one in the right order"),
    "BPM": ("Bpm", CWL, "expected gain of a user who stops after a gain of T or k documents"),
    "Compat": ("Compat", "", "rank-biased overlap with an ideal ranking"),
    "ERR_IA": ("ErrIa", NDEVAL, "ERR, mean over the subtopics"),
    "INSQ": ("Insq", CWL, "expected gain of a user who goes on by the gain that is left to find"),
    "INST": ("Inst", CWL, "INSQ with the gain that was found"),
    "IPrec": ("IPrec", "", "highest precision at this recall or beyond"),
    "NERR8": ("Nerr8", CWL, "ERR as expected gain, user model 8 of C/W/L"),
    "NERR9": ("Nerr9", CWL, "ERR as expected gain, user model 9 of C/W/L"),
    "NERR10": ("Nerr10", CWL, "ERR as expected gain, user model 10 of C/W/L"),
    "NERR11": ("Nerr11", CWL, "ERR as expected gain, user model 11 of C/W/L"),
    "NRBP": ("Nrbp", NDEVAL, "RBP over subtopics, a covered one gaining less"),
    "P_IA": ("PIa", NDEVAL, "P, mean over the subtopics"),
    "SDCG": ("Sdcg", CWL, "DCG / that of k documents of the highest grade"),
    "SetAP": ("SetAp", "", "precision · recall of all that is ranked"),
    "SetF": ("SetF", "", "harmonic mean of precision and recall of all that is ranked"),
    "SetP": ("SetP", "", "precision of all that is ranked"),
    "SetR": ("SetR", "", "recall of all that is ranked"),
    "SetRelP": ("SetRelP", "", "SetP / the best that so many documents can have"),
    "StRecall": ("StRecall", NDEVAL, "share of the subtopics that the first k cover"),
    "alpha_nDCG": ("AlphaNdcg", NDEVAL, "nDCG over subtopics, a covered one gaining less"),
    "α_nDCG": ("AlphaNdcg", NDEVAL, "nDCG over subtopics, a covered one gaining less"),
    "infAP": ("InfAp", "", "AP inferred from a sample of judgements"),
    "nERR_IA": ("NErrIa", NDEVAL, "ERR_IA / that of the ideal ranking"),
    "nNRBP": ("NNrbp", NDEVAL, "NRBP / that of the ideal ranking"),
}
"""Name → settings, what ir_measures needs for it besides, and what it says."""


@hookimpl
def rr_register_measures() -> list[Component]:
    theirs = [
        Component(
            name,
            "rr_measures.of_ir_measures:calculated",
            says,
            ("ir-measures", *filter(None, [needs])),
            settings=f"rr_measures.settings:{settings}",
        )
        for name, (settings, needs, says) in OF_IR_MEASURES.items()
    ]
    ours = [
        Component(name, f"rr_measures.formulas:{function}", formula, settings=f"rr_measures.settings:{settings}")
        for name, (function, settings, formula) in OURS.items()
    ]
    return [*theirs, *ours]
