"""The linear head on a frozen sentence encoder: made, saved, loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rr import RerankError
from rr_head.settings import SHARPEST, HeadSettings, Initialisation
from rr_torch import Role, seeded

WEIGHTS = "head.safetensors"
LAST_WEIGHTS = "last.safetensors"
CONFIG = "head.json"

NOT_IN_CONFIG = {"model", "sha256", "batch_size", "trust_remote_code", "seed", "query_prompt", "document_prompt"}
"""Settings that a vector does not depend on, or not beyond the weights' fingerprint and the encoder's prompts."""
Prompts = Mapping[Role, str]
NO_PROMPTS: Prompts = {}


def make_head(
    settings: HeadSettings, d_in: int, checkpoint: Path | None, prompts: Prompts = NO_PROMPTS
) -> torch.nn.Linear:
    """The bias-free projection: seeded and random, or as it was trained.

    Args:
        prompts: what the encoder puts before queries and documents.

    Raises:
        RerankError: the checkpoint was trained on another encoder or with other prompts, or for other dimensions.
    """
    with seeded(settings.seed):
        head = torch.nn.Linear(d_in, settings.dimensions, bias=False)
        # entries of variance 1/d_out keep lengths and angles, on average, as they were in the encoder's space
        torch.nn.init.normal_(head.weight, std=settings.dimensions**-0.5)
    if checkpoint is None:
        return head
    loaded = _config(settings, d_in, prompts)
    written = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    trained = {name: value for name, value in written.items() if name != "temperature"}
    if trained != loaded:
        raise RerankError(f"{checkpoint}: trained as {trained}, loaded as {loaded}; train again or change the entry")
    head.load_state_dict(load_file(checkpoint / WEIGHTS))
    return head


@torch.no_grad()
def initialise(head: torch.nn.Linear, how: Initialisation, seed: int, vectors: Tensor) -> None:
    """Gives a head that was made random another start. `random`: it stays. `orthogonal`: onto a random subspace, with
    no distortion within it. `pca`: onto the subspace that holds most of `vectors` (texts, d_in), so that the cosines
    begin near the encoder's own.

    Raises:
        RerankError: PCA to more dimensions than there are.
    """
    d_out, d_in = head.weight.shape
    if how == "orthogonal":
        with seeded(seed):
            # lengths are kept on average
            torch.nn.init.orthogonal_(head.weight, gain=math.sqrt(max(d_in / d_out, 1)))
    elif how == "pca":
        if d_out > d_in:
            raise RerankError(f"initialisation pca: the encoder has {d_in} dimensions, fewer than {d_out}; lower them")
        doubles = vectors.double()
        # not centred: the cosines to be kept are those of the vectors as they are
        directions = torch.linalg.eigh(doubles.T @ doubles).eigenvectors
        head.weight.copy_(directions[:, -d_out:].T.flip(0))


class Trainee(torch.nn.Module):
    """The head while it is trained, and the temperature, which may be trained with it."""

    def __init__(self, head: torch.nn.Linear, temperature: float, learned: bool) -> None:
        super().__init__()
        self.head = head
        start = torch.full((), -math.log(temperature), device=head.weight.device)
        self.log_scale = torch.nn.Parameter(start, requires_grad=learned)

    def temperature(self) -> Tensor:
        """τ, a scalar. Of a learned one 1/τ is kept at or below `SHARPEST`, by clamping the parameter itself, as CLIP
        does: a clamped value would have no gradient to come back by."""
        if self.log_scale.requires_grad:
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(SHARPEST))
        return torch.exp(-self.log_scale)


def save_head(
    best: torch.nn.Linear,
    last: Tensor,
    settings: HeadSettings,
    temperature: float,
    out: Path,
    prompts: Prompts = NO_PROMPTS,
) -> None:
    """The best head, which is the one that is loaded; the weight of the last one; and what both were trained with."""
    save_file({"weight": best.weight.detach().cpu().contiguous()}, out / WEIGHTS)
    save_file({"weight": last.detach().cpu().contiguous()}, out / LAST_WEIGHTS)
    config = json.dumps({**_config(settings, best.in_features, prompts), "temperature": temperature}, indent=2)
    (out / CONFIG).write_text(config + "\n", encoding="utf-8")


def project(head: torch.nn.Linear, vectors: Tensor) -> Tensor:
    """L2-normalised projections, shape (…, d_out)."""
    return torch.nn.functional.normalize(head(vectors), dim=-1)


def _config(settings: HeadSettings, d_in: int, prompts: Prompts) -> dict[str, Any]:
    """All that a projected vector depends on besides the head's own weights."""
    named = {"prompts": dict(prompts)} if any(prompts.values()) else {}
    own = settings.model_dump(mode="json", exclude=NOT_IN_CONFIG)
    return {"encoder": settings.weights(), "d_in": d_in, **own, **named}
