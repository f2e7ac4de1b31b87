"""Measures how near `project` comes to photos, beside the luck of many random portraits.

Run ``python benchmarks/project.py RUN PACK --json out.json``, with a run or bundle and a pack whose
held-out pictures it never saw. Distances are Euclidean, in EfficientNet-Lite0's features. Exits
with 1 if for one of the photos the search comes no nearer than luck.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from purrtrait import encoding, machine, model, projecting, wrapping
from purrtrait.console import Tasks
from purrtrait.datasets.pack import Pack
from purrtrait.evaluation import features
from purrtrait.evaluation.efficientnet import EfficientNetLite0
from purrtrait.evaluation.reference import heard


def main() -> int:
    """Measure and print; with --json also write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--photos", type=int, default=3, help="the first that are held out")
    parser.add_argument("--portraits", type=int, default=10_000, help="random ones")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    extractor, pack, tasks = EfficientNetLite0(), Pack.open(asked.pack), Tasks()
    folder = wrapping.sampler_folder(asked.model)
    drawer = model.load(folder, "cpu")
    encode = encoding.encoder(folder, drawer)
    photos = pack.images[pack.rows("held-out")[: asked.photos]]
    portraits = drawer.draw(drawer.latents(asked.portraits, seed=1))
    told = heard(tasks.report, "features of random portraits")
    random = features.extract(extractor, portraits, told)
    nearest = torch.cdist(extractor(photos), random).min(1).values.tolist()
    rows = []
    for photo, luck in zip(photos, nearest, strict=True):
        begun = time.perf_counter()
        found = projecting.project(drawer, photo, report=tasks.report, encode=encode)
        seconds = time.perf_counter() - begun
        rows.append({**found.distances, "nearest": luck, "seconds": seconds})
    tasks.close()
    for row in rows:
        print("  ".join(f"{name} {value:.1f}" for name, value in row.items()))
    if asked.json:
        facts = {"portraits": asked.portraits, "photos": rows, "threads": torch.get_num_threads()}
        asked.json.write_text(json.dumps({**facts, "processor": machine.processor()}, indent=2))
    return int(any(row["portrait"] >= row["nearest"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
