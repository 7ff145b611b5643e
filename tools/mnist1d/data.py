"""Makes src/tierwise/benchmarks/mnist1d_data.npz: 14,000 signals of MNIST-1D with their labels.

    pip install mnist1d==0.0.2.post1        # in an environment of its own: tierwise does not need it
    python tools/mnist1d/data.py [FILE]     # about ten seconds

Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D" (2024), code Apache-2.0. The generator's stock arguments
but for the number of samples. Nothing is downloaded: the signals are drawn here, from seed 42.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

OUT = Path(__file__).parents[2] / "src" / "tierwise" / "benchmarks" / "mnist1d_data.npz"
SAMPLES, SEED = 14_000, 42


def main() -> None:
    """Draw, check, write, and print the checksum that the benchmark holds."""
    parser = argparse.ArgumentParser(description="Write the data of the benchmark mnist1d.")
    parser.add_argument("file", type=Path, nargs="?", default=OUT)
    file = parser.parse_args().file
    arguments = get_dataset_args()
    arguments.num_samples, arguments.seed = SAMPLES, SEED
    drawn = make_dataset(arguments)
    x = np.concatenate([drawn["x"], drawn["x_test"]]).astype(np.float16)  # one shuffled array: the split is ours
    y = np.concatenate([drawn["y"], drawn["y_test"]]).astype(np.uint8)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, x=x, y=y)
    part.replace(file)
    print(
        f"{file.name}: {x.shape} {x.dtype}, sha256 of x and y {hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()}"
    )


if __name__ == "__main__":
    main()
