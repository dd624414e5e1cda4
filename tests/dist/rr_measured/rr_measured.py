"""Measures of somebody else's: one that is right, one under a name that is taken, and others that are wrong."""

import rr


class Parameters(rr.Settings):
    rel: int = 1
    cutoff: int | None = None


@rr.hookimpl
def rr_register_measures():
    wrong = ("raises", "one_number", "not_a_number", "beyond_one", "writes", "exits")
    return [
        rr.Component("Nearness", "rr_measured:nearness", "1 - others above / others", settings="rr_measured:Parameters"),
        rr.Component("nDCG", "rr_measured:nearness", "Another one", settings="rr_measured:Parameters"),
        *(rr.Component(name, f"rr_measured:{name}", "Wrong") for name in wrong),
        rr.Component("absent", "rr_measured:nothing_is_called_so", "Wrong"),
        rr.Component("needy", "rr_measured:nearness", "Needs", ("nobody-has-this",)),
    ]


def nearness(rankings, settings):
    """Source: nobody"""
    import numpy as np

    found = np.where(rankings.grades >= settings.rel, rankings.ranks, np.inf).min(axis=1, initial=np.inf)
    found = np.where(found <= (settings.cutoff or np.inf), found, np.inf)
    return np.where(np.isfinite(found), 1 - (found - 1) / np.maximum(rankings.lengths, 1), 0.0)


def raises(rankings, settings):
    raise RuntimeError("raised in a measure")


def one_number(rankings, settings):
    return 0.5


def not_a_number(rankings, settings):
    return rankings.lengths * float("nan")


def beyond_one(rankings, settings):
    return rankings.lengths + 1.5


def writes(rankings, settings):
    rankings.grades[:] = 3
    return rankings.lengths * 0.0


def exits(rankings, settings):
    raise SystemExit(0)
