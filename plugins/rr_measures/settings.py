"""The parameters of measures, under the names that ir_measures gives them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from rr import Settings


class Cut(Settings):
    cutoff: int | None = Field(None, gt=0, strict=True)
    """Only so many ranks count; without it, all."""


class Binary(Settings):
    rel: int = Field(1, gt=0, strict=True)
    """The least grade that is relevant."""


class BinaryCut(Cut, Binary):
    pass


class NeedsCut(Settings):
    cutoff: int = Field(gt=0, strict=True)
    """Only so many ranks count."""

    @model_validator(mode="before")
    @classmethod
    def _is_cut(cls, given: Any) -> Any:
        if isinstance(given, dict) and "cutoff" not in given:
            raise ValueError("needs a cutoff, written behind it as @10")
        return given


class BinaryNeedsCut(NeedsCut, Binary):
    pass


class Ndcg(Cut):
    dcg: Literal["log2", "exp-log2"] = "log2"
    """The gain of a document: log2, its grade; exp-log2, 2^grade - 1 (Burges et al. 2005)."""
    gains: dict[int, int] | None = None
    """Grades that gain something else than themselves: {1: 0, 2: 1}."""


class Err(Cut):
    max_rel: int = Field(4, gt=0, le=62, strict=True)
    """The highest grade that there is. TREC's gdeval has 4."""


class Rbp(Cut):
    p: float = Field(0.8, gt=0, lt=1)
    """How likely it is that a user goes on to the next rank."""
    rel: int | None = Field(None, gt=0, strict=True)
    """The least grade that is relevant; without it, a document gains its grade as a share of the query's highest."""


class OfIrMeasures(Settings):
    """`measure`: its name in ir_measures."""

    measure: ClassVar[str]


class Accuracy(OfIrMeasures, BinaryCut):
    measure = "Accuracy"


class Gained(OfIrMeasures):
    min_rel: int = Field(0, strict=True)
    """The lowest grade that there is."""
    max_rel: int = Field(gt=0, strict=True)
    """The highest grade that there is."""


class UntilGained(Gained):
    T: float = Field(1.0, gt=0)
    """The gain after which a user stops."""


class Bpm(NeedsCut, UntilGained):
    measure = "BPM"


class Insq(UntilGained):
    measure = "INSQ"


class Inst(UntilGained):
    measure = "INST"


class Nerr8(NeedsCut, Gained):
    measure = "NERR8"


class Nerr9(NeedsCut, Gained):
    measure = "NERR9"


class Nerr10(Gained):
    measure = "NERR10"
    p: float = Field(0.9, gt=0, lt=1)
    """How likely it is that a user goes on to the next rank."""


class Nerr11(UntilGained):
    measure = "NERR11"


class Sdcg(NeedsCut, Gained):
    measure = "SDCG"


class Compat(OfIrMeasures):
    measure = "Compat"
    p: float = Field(0.95, gt=0, lt=1)
    """How likely it is that a user goes on to the next rank."""
    normalize: bool = True
    """By the compatibility of the best ranking."""


class IPrec(OfIrMeasures, Binary):
    measure = "IPrec"
    recall: float = Field(ge=0, le=1)
    """The level of recall at which precision is taken."""


class InfAp(OfIrMeasures, Binary):
    measure = "infAP"


class SetAp(OfIrMeasures, Binary):
    measure = "SetAP"


class SetF(OfIrMeasures, Binary):
    measure = "SetF"
    beta: float = Field(1.0, gt=0)
    """How much recall weighs against precision."""


class SetP(OfIrMeasures, Binary):
    measure = "SetP"
    relative: bool = False
    """To the best precision that so many documents can have."""


class SetR(OfIrMeasures, Binary):
    measure = "SetR"


class SetRelP(OfIrMeasures, Binary):
    measure = "SetRelP"


class AlphaNdcg(OfIrMeasures, BinaryCut):
    measure = "alpha_nDCG"
    alpha: float = Field(0.5, ge=0, le=1)
    """How much a subtopic that was covered loses."""


class ApIa(OfIrMeasures, Binary):
    measure = "AP_IA"


class ErrIa(OfIrMeasures, BinaryCut):
    measure = "ERR_IA"


class NErrIa(OfIrMeasures, BinaryCut):
    measure = "nERR_IA"


class PIa(OfIrMeasures, BinaryCut):
    measure = "P_IA"


class Nrbp(OfIrMeasures, Binary):
    measure = "NRBP"
    alpha: float = Field(0.5, ge=0, le=1)
    """How much a subtopic that was covered loses."""
    beta: float = Field(0.5, ge=0, le=1)
    """How likely it is that a user goes on to the next rank."""


class NNrbp(Nrbp):
    measure = "nNRBP"


class StRecall(OfIrMeasures, BinaryCut):
    measure = "StRecall"
