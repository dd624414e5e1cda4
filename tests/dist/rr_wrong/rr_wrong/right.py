"""What the wrong plugins have in common: components that are right."""

import json

import rr


def component(module, attribute, **fields):
    """The row of a module's class, called as the module."""
    bare = module.rpartition(".")[2]
    return rr.Component(**{"name": bare, "target": f"{module}:{attribute}", "summary": f"Wrong: {bare}", **fields})


class Right:
    info = rr.ModelInfo(scale="rank")

    def __init__(self, settings, checkpoint=None):
        pass

    def score(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """The number of letters that document and query share."""
        return [float(len({*request.query.text} & {*document.content})) for document in request.candidates]


class RightReranker(Right):
    def rerank(self, requests):
        return [rr.Ranking.from_scores(request, self.answer(request)) for request in requests]


class Learned(Right):
    """Scores with the sign that its trainer wrote."""

    def __init__(self, settings, checkpoint=None):
        self.sign = json.loads((checkpoint / "sign.json").read_text()) if checkpoint else 1
        self.info = rr.ModelInfo(scale="rank", state="trained" if checkpoint else "pretrained")

    def answer(self, request):
        return [self.sign * value for value in super().answer(request)]


class RightTrainer:
    def __init__(self, settings, scorer_settings):
        pass

    def train(self, dataset, out, on_event):
        self.write(out, on_event, sign=-1)

    def write(self, out, on_event, sign):
        for step in (1, 2):
            on_event(rr.TrainingEvent(step, 2, loss=1 / step))
        (out / "sign.json").write_text(json.dumps(sign))
