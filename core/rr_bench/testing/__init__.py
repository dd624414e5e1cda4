"""The conformance kit: what a component must do, as plain functions `check_…`, which `rr check`, pytest and plain
Python ask alike. What is public here is public as `rr.testing`."""

from rr_bench.testing.asked import all_checks, checks_of, run_checks
from rr_bench.testing.check import BrokenRuleError, Check, Outcome
from rr_bench.testing.parametrize import parametrize
from rr_bench.testing.registered import installed_points, subject_of_entry, subject_of_plugin, subject_of_registered
from rr_bench.testing.subject import Subject, subject_of

__all__ = ["BrokenRuleError", "Check", "Outcome", "Subject", "all_checks", "checks_of", "parametrize", "run_checks"]
__all__ += ["installed_points", "subject_of", "subject_of_entry", "subject_of_plugin", "subject_of_registered"]
_functions = {check.function.__name__: check.function for check in all_checks()}
globals().update(_functions)
__all__ += [*_functions]
