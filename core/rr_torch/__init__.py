"""What several plugins on torch need. Provisional: names may still change without an alias.

Each is imported when it is first used: `rr_torch.settings` and `rr_torch.source`, which the settings of a plugin need,
import no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rr_torch.answers import by_request
    from rr_torch.batching import counted, token_batches
    from rr_torch.bge_m3 import BgeM3, Output
    from rr_torch.device import evaluating, parameter_counts, pick_device, pick_dtype, precision_of, seeded
    from rr_torch.encoding import FrozenEncoder, cosine_scores
    from rr_torch.fitting import copied, fit
    from rr_torch.loading import check_finite, check_length, check_safetensors, quiet, readable_tokens, weights_not_in
    from rr_torch.packed import Packed, can_pack, pack, packed_inputs, packs, positions
    from rr_torch.padding import settle_padding
    from rr_torch.parallel import joined
    from rr_torch.precision import mixed_precision
    from rr_torch.recording import PROBED, BatchLoss, as_train
    from rr_torch.roles import Embed, Role
    from rr_torch.settings import DtypeName, EncoderSettings, FitSettings, TextModelSettings
    from rr_torch.sharding import restore, shards, whole
    from rr_torch.short import Layers, ShortEncoder, has_short_way, layers_replaced
    from rr_torch.source import fetching, model_path, weights_fingerprint, weights_folder
    from rr_torch.trust import runs_code

__all__ = [
    "PROBED",
    "BatchLoss",
    "BgeM3",
    "DtypeName",
    "Embed",
    "EncoderSettings",
    "FitSettings",
    "FrozenEncoder",
    "Layers",
    "Output",
    "Packed",
    "Role",
    "ShortEncoder",
    "TextModelSettings",
    "as_train",
    "by_request",
    "can_pack",
    "check_finite",
    "check_length",
    "check_safetensors",
    "copied",
    "cosine_scores",
    "counted",
    "evaluating",
    "fetching",
    "fit",
    "has_short_way",
    "joined",
    "layers_replaced",
    "mixed_precision",
    "model_path",
    "pack",
    "packed_inputs",
    "packs",
    "parameter_counts",
    "pick_device",
    "pick_dtype",
    "positions",
    "precision_of",
    "quiet",
    "readable_tokens",
    "restore",
    "runs_code",
    "seeded",
    "settle_padding",
    "shards",
    "token_batches",
    "weights_fingerprint",
    "weights_folder",
    "weights_not_in",
    "whole",
]

_MODULES = [
    *(
        "settings",
        "source",
        "trust",
        "answers",
        "roles",
        "device",
        "loading",
        "batching",
        "padding",
        "precision",
        "packed",
    ),
    *("packed", "recording", "short", "sharding", "parallel", "fitting", "encoding", "bge_m3"),
]
"""Where the public names live; what needs the fewest distributions comes first, so that nobody needs others'."""


def __getattr__(name: str) -> Any:
    for module in _MODULES if name in __all__ else ():
        found = vars(import_module(f"rr_torch.{module}")).get(name)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module 'rr_torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
