"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Of one server; none of them holds what a client has sent."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def histogram(name: str, text: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=self._registry)

        def counter(name: str, text: str, labels: list[str]) -> Counter:
            return Counter(name, text, labels, registry=self._registry)

        model = ["model"]
        self.requests = counter("rr_requests", "Requests that were answered.", ["route", "status"])
        self.seconds = histogram("rr_request_seconds", "From a request to its answer.", ["route"], SECONDS)
        self.waited = histogram("rr_queue_seconds", "That requests waited for their model.", model, SECONDS)
        self.computed = histogram("rr_batch_seconds", "That a model took for a batch.", model, SECONDS)
        self.batch = histogram("rr_batch_requests", "Requests that were scored together.", model, COUNTS)
        self.pairs = histogram("rr_batch_documents", "Documents that were scored together.", model, COUNTS)
        self.documents = counter("rr_documents", "Documents that were scored.", model)
        self.tokens = counter("rr_tokens", "Tokens, by the model's count or 4 bytes of UTF-8 each.", model)
        self.errors = counter("rr_errors", "Requests that a model could not answer.", ["model", "kind"])
        self.reloads = counter("rr_reloads", "Reloads, by what came of them.", ["model", "outcome"])
        self.queue = Gauge("rr_queue", "Requests that wait for their model.", model, registry=self._registry)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)
