"""What zero-cost proxies cost on NAS-Bench-201 at the shape of CIFAR, one thread, everything in one run.

All proxies of a network from shared passes (``zero_cost.measure``) against the straightforward way: for each proxy and
each network build it, make the passes of that proxy alone. And the building of networks by itself.

    python bench/speed_proxies.py [networks]
"""

from __future__ import annotations

import sys
import time

import numpy as np
from stopwatch import markdown, one_thread, publish

NETWORKS, BUILT = 100, 1_000
TASK = {"classes": 10, "shape": (3, 32, 32)}


def main() -> None:
    one_thread()
    from tierwise import zero_cost
    from tierwise.distinct_networks import distinct
    from tierwise.spaces.nasbench201 import NASBench201

    space, names = NASBench201(), zero_cost.installed()
    networks = int(sys.argv[1]) if len(sys.argv) > 1 else NETWORKS
    cells = distinct(space.sample(BUILT, np.random.default_rng(0)))
    alone, together = dict.fromkeys(names, 0.0), 0.0

    def clocked(asked: tuple[str, ...], k: int) -> float:
        start = time.process_time()
        zero_cost.measure([space.build(cells[k], **TASK)], asked, **TASK)
        return time.process_time() - start

    clocked(names, 0)  # the first call warms up
    for k in range(networks):  # in turn, so that both see the same state of the machine
        together += clocked(names, k)
        for name in names:
            alone[name] += clocked((name,), k)
    start = time.process_time()
    for arch in cells:
        space.build(arch, **TASK)
    building = time.process_time() - start
    ratio = sum(alone.values()) / together
    rows = [[f"`{name}`", f"{seconds / networks:.2f}"] for name, seconds in sorted(alone.items(), key=lambda x: x[1])]
    rows += [["one after the other", f"{sum(alone.values()) / networks:.2f}"]]
    rows += [["**together**", f"**{together / networks:.2f}**"]]
    text = "\n\n".join(
        [
            "## What zero-cost proxies cost",
            f"CPU seconds a network, mean of {networks} random networks of NAS-Bench-201 with images of 3 × 32 × 32 in "
            f"batches of 32, building included. All {len(names)} proxies from shared passes take **1/{ratio:.1f}** of "
            f"what they take one after the other. Building {BUILT:,} networks takes {building:.1f} s. Made by "
            "`bench/speed_proxies.py`.",
            markdown(["proxy", "CPU seconds"], rows),
        ]
    )
    content = {"networks": networks, "alone": alone, "together": together, "ratio": ratio, "build": {BUILT: building}}
    publish("speed-proxies", content, text)


if __name__ == "__main__":
    main()
