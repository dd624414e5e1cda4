"""The kit in pytest: each check a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rr.errors import NotApplicableError
from rr.protocols import Settings
from rr_bench.testing.asked import checks_of, known
from rr_bench.testing.check import Check
from rr_bench.testing.subject import Subject, subject_of

Test = Callable[..., None]


def parametrize(
    target: type[Any],
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    trainer: type[Any] | None = None,
    training: Settings | Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Test], Test]:
    """Decorates `def test_it(check): check()`: a test for each check that concerns the class. `expected_failures`: the
    name of a check → why it fails; such a test is an xfail, and one that passes all the same fails.

    Raises:
        RerankError: the settings are wrong, or a check that is expected to fail does not exist.
    """
    import pytest

    subject = subject_of(target, settings, trainer=trainer, training=training)
    expected = known(expected_failures)
    cases = [
        pytest.param(
            _case(check, subject),
            id=check.name,
            marks=[pytest.mark.xfail(reason=expected[check.name], strict=True)] if check.name in expected else [],
        )
        for check in checks_of(subject)
    ]
    return pytest.mark.parametrize("check", cases)


def _case(check: Check, subject: Subject) -> Callable[[], None]:
    def case() -> None:
        import pytest

        try:
            check.function(subject)
        except NotApplicableError as why:
            pytest.skip(str(why))

    return case
