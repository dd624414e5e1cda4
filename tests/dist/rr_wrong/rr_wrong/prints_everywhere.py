"""Prints in every way at every stage."""

import os
import subprocess
import sys
import threading

import rr
from rr_wrong.right import Right, component


def shout(stage):
    print("LOUD print", stage)  # noqa: T201
    sys.stdout.buffer.write(f"LOUD bytes {stage}\n".encode())
    print("LOUD original", stage, file=sys.__stdout__, flush=True)  # noqa: T201
    os.write(1, f"LOUD descriptor {stage}\n".encode())
    subprocess.run(["echo", "LOUD child", stage], check=True)
    thread = threading.Thread(target=print, args=("LOUD thread", stage))
    thread.start()
    thread.join()


shout("import")


@rr.hookimpl
def rr_register_scorers():
    shout("registration")
    return [component(__name__, "Wrong")]


class Wrong(Right):
    class Settings(rr.Settings):
        def weights(self):
            shout("weights")
            return ""

    def __init__(self, settings, checkpoint=None):
        shout("load")

    @property
    def info(self):
        shout("info")
        return rr.ModelInfo(scale="rank")

    def score(self, requests):
        shout("score")
        for request in requests:
            yield self.answer(request)
            shout("answer")
