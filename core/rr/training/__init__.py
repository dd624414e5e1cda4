"""What a trainer is written with, on whatever engine: negatives, mined or drawn, and the figure that it selects by."""

from rr.protocols import DEV_METRICS, STATE
from rr.training.mining import MiningSettings, mine
from rr.training.negatives import answers, hard_negatives, random_negatives
from rr.training.processes import processes, rank
from rr.training.quality import DEV_METRIC, ranking_quality

__all__ = ["DEV_METRIC", "DEV_METRICS", "STATE", "MiningSettings", "answers", "hard_negatives", "mine", "processes"]
__all__ += ["random_negatives", "rank", "ranking_quality"]
