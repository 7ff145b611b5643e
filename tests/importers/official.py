"""Writes files in the official formats from real numbers, by no code of the importers: they must read the same."""

import bz2
import collections
import pickle

import numpy as np

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
RUNS = {"cifar10-valid": "c10", "cifar10": "c10", "cifar100": "c100", "ImageNet16-120": "in16"}
SEEDS = (777, 888, 999)


def arch_str(codes):
    names = [OPS[code] for code in codes]
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*names)


def curve(last, epochs):
    """Rises to its last value, as a training does."""
    return {epoch: float(last) * (epoch + 1) / epochs for epoch in range(epochs - 1)} | {epochs - 1: float(last)}


def run(tables, row, dataset, seed, epochs, text):
    """The state of one training; numbers of `tables` where it has them."""
    short, k = RUNS[dataset], SEEDS.index(seed)
    kind = f"{short}_{{}}{epochs}"
    at = (row, k) if epochs == 200 else (row,)
    valid, test = float(tables[kind.format("val")][at]), float(tables[kind.format("test")][at])
    sets = {"cifar10-valid": {"x-valid": valid, "ori-test": test}, "cifar10": {"ori-test": test}}.get(
        dataset, {"ori-test": (valid + test) / 2, "x-valid": valid, "x-test": test}
    )
    seconds = float(tables[f"{short}_train_time200"][row]) / 200 * (2 if dataset == "cifar10" else 1)
    return {
        "name": dataset,
        "train_acc1es": curve(min(valid + 5, 100), epochs),
        "train_acc5es": None,
        "train_losses": curve(0.5, epochs),
        "train_times": collections.OrderedDict((epoch, seconds) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
        "params": np.float64(round(float(tables[f"{short}_params_M"][row]), 6)),
        "flop": round(float(tables[f"{short}_flops_M"][row]), 5),
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(tables[f"{short}_latency"][row])],
        "eval_names": list(sets),
        "eval_acc1es": {f"{name}@{e}": v for name, last in sets.items() for e, v in curve(last, epochs).items()},
        "eval_times": {f"{name}@{epoch}": 2.5 for name in sets for epoch in range(epochs)},
        "eval_losses": {f"{name}@{epochs - 1}": 0.7 for name in sets},
        "net_state_dict": None,
    }


def state(tables, row, epochs, text=None, arch_index=None):
    text = text or arch_str(tables["ops"][row])
    seeds = [s for k, s in enumerate(SEEDS) if epochs == 200 and np.isfinite(tables["c10_val200"][row, k])] or [777]
    return {
        "arch_index": row if arch_index is None else arch_index,
        "arch_str": text,
        "all_results": {(d, s): run(tables, row, d, s, epochs, text) for d in RUNS for s in seeds},
        "dataset_seed": dict.fromkeys(RUNS, seeds),
        "clear_net_done": True,
    }


def states(tables, row):
    return collections.OrderedDict({"12": state(tables, row, 12), "200": state(tables, row, 200)})


def meta(tables):
    texts = [arch_str(codes) for codes in tables["ops"]]
    return {"meta_archs": texts, "total_archs": len(texts), "arch2infos": None, "evaluated_indexes": set()}


def old_numpy(data):
    """The pickle as numpy 1 wrote it, which all official files have (protocol 2 or 3)."""
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def dump(value, path, compressed=True):
    data = pickle.dumps(value, 4)
    path.write_bytes(bz2.compress(data, 1) if compressed else data)


def expected(tables, row):
    """The columns of one architecture by the benchmark's rules."""
    found = {}
    for short, name in (("c10", "cifar10"), ("c100", "cifar100"), ("in16", "imagenet16-120")):
        found[f"{name}/validation_accuracy@12#777"] = tables[f"{short}_val12"][row]
        found[f"{name}/test_accuracy@12#777"] = tables[f"{short}_test12"][row]
        for k, seed in enumerate(SEEDS):
            found[f"{name}/validation_accuracy@200#{seed}"] = tables[f"{short}_val200"][row, k]
            found[f"{name}/test_accuracy@200#{seed}"] = tables[f"{short}_test200"][row, k]
        found[f"{name}/training_seconds@200#777"] = tables[f"{short}_train_time200"][row]
        found[f"{name}/latency"] = tables[f"{short}_latency"][row]
        found[f"{name}/params"] = round(float(tables[f"{short}_params_M"][row]) * 1e6)
        found[f"{name}/flops"] = round(round(float(tables[f"{short}_flops_M"][row]), 5) * 1e6)
    found["cifar10/retraining_seconds@200#777"] = 2 * tables["c10_train_time200"][row]
    return found


def check(part, tables, rows):
    """A part of the importer has exactly the numbers of the tables."""
    assert part.rows.tolist() == list(rows)
    for place, row in enumerate(rows):
        for name, value in expected(tables, row).items():
            found = part.columns[name][place] if name in part.columns else np.nan
            np.testing.assert_allclose(found, value, rtol=2e-7, err_msg=f"{name} of {row}")


def ignore(done, total):
    assert 0 <= done <= total
