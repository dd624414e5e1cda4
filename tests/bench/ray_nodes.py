"""A Ray cluster of three nodes on this machine, for tests: prints where it is and the process of each node as a line of
JSON, and ends with its standard input. `python -m tests.bench.ray_nodes`."""

import json
import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
QUICK = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""How soon a node is given up."""

if __name__ == "__main__":
    cluster = Cluster()
    # none is waited for by itself: a busy machine takes longer than that has patience
    head = cluster.add_node(wait=False, **NODE, include_dashboard=False, _system_config=QUICK)
    nodes = [head, *(cluster.add_node(wait=False, **NODE) for _ in range(2))]
    cluster.wait_for_nodes(timeout=300)
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    sys.stdout.write(json.dumps({"address": cluster.address, "raylets": raylets}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    cluster.shutdown()
