"""Components that register well and then fail, each in its own way."""

import rr

COMPONENTS = {
    "missing_target": "rr_broken.nowhere:Scorer",
    "missing_class": "rr_broken.in_use:Nothing",
    "raises_at_load": "rr_broken.in_use:RaisesAtLoad",
    "raises_in_score": "rr_broken.in_use:RaisesInScore",
    "gives_nan": "rr_broken.in_use:GivesNan",
    "gives_too_few": "rr_broken.in_use:GivesTooFew",
    "gives_too_few_answers": "rr_broken.in_use:GivesTooFewAnswers",
    "gives_wrong_shape": "rr_broken.in_use:GivesWrongShape",
    "gives_none": "rr_broken.in_use:GivesNone",
    "needs_settings": "rr_broken.in_use:NeedsSettings",
}


@rr.hookimpl
def rr_register_scorers():
    rows = [rr.Component(name, target, f"Fails: {name}") for name, target in COMPONENTS.items()]
    needs = rr.Component("needs_package", "rr_broken.in_use:Constant", "Fails: needs_package", ("no-such-package",))
    return [*rows, needs, rr.Component("constant", "rr_broken.in_use:Constant", "Gives every document the same score")]


class Constant:
    info = rr.ModelInfo(scale="rank")

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [self.answer(len(request.candidates)) for request in requests]

    def answer(self, count):
        return [1.0] * count


class RaisesAtLoad(Constant):
    def __init__(self, settings, checkpoint=None):
        raise RuntimeError("raised at load")


class RaisesInScore(Constant):
    def answer(self, count):
        raise RuntimeError("raised in score")


class GivesNan(Constant):
    def answer(self, count):
        return [float("nan")] * count


class GivesTooFew(Constant):
    def answer(self, count):
        return [1.0] * (count - 1)


class GivesTooFewAnswers(Constant):
    def score(self, requests):
        return super().score(requests)[1:]


class GivesWrongShape(Constant):
    def answer(self, count):
        return [[1.0]] * count


class GivesNone(Constant):
    def score(self, requests):
        return None


class NeedsSettings(Constant):
    class Settings(rr.Settings):
        model: str
