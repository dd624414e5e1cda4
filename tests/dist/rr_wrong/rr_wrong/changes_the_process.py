"""Makes itself at home."""

import io
import logging
import os
import random
import signal
import sys
import warnings

import numpy

import rr
from rr_wrong.right import Right, component


@rr.hookimpl
def rr_register_scorers():
    return [component(__name__, "Wrong")]


class Wrong(Right):
    def __init__(self, settings, checkpoint=None):
        os.chdir("/")
        os.environ["RR_HOME"] = "/nowhere"
        os.environ["RR_STRICT"] = "1"
        sys.stdout = sys.stderr = io.StringIO()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        warnings.simplefilter("error")
        logging.disable(logging.CRITICAL)
        numpy.seterr(all="raise")
        sys.setrecursionlimit(150)
        random.seed(0)
        numpy.random.seed(0)
