"""What a GPU makes of each recipe: finite or not, how fast, how large, and what waits for what.

    python benchmarks/gpu_check.py                               # 200 steps each, profile colab
    python benchmarks/gpu_check.py --data gopro --precision mixed_float16
    python benchmarks/gpu_check.py --profile smoke --steps 8     # without a GPU

It prints a Markdown table that can be pasted into an issue. Each recipe goes through its real
schedule, squeezed into so many steps, with a row for each of its phases. VGG comes from an
installed package whatever the profile, so that nothing is downloaded.
"""

import argparse
import dataclasses
import itertools
import math
import resource
import statistics
import time

import numpy as np
import table

from deblurgan_lib import paths
from deblurgan_lib.data import find_data, find_pairs
from deblurgan_lib.data.sample import is_complete
from deblurgan_lib.errors import quiet_import
from deblurgan_lib.training import profiles, recipes

with quiet_import():
    import tensorflow as tf

    from deblurgan_lib.data import training_batches
    from deblurgan_lib.models import cost
    from deblurgan_lib.precision import POLICIES, dtype_policy, measure_precision
    from deblurgan_lib.training import build, build_gan
    from deblurgan_lib.training.gan import LOGGED
    from deblurgan_lib.training.loop import FRESH_BLUR, compiled_train_step

# Operations and bytes a second, as NVIDIA's data sheets state them and lesson 10 takes them.
GPUS = {
    "T4": (65e12, 320e9),
    "L4": (121e12, 300e9),
    "A100": (312e12, 1555e9),
    "H100": (989e12, 3350e9),
}
USED = 0.1  # Lesson 10's best case: so much of those operations.
TITAN = 0.95e12, 336e9  # Its worst: what the paper's Titan X reached, by the bytes of its memory.
BLOCKS = 5  # Of a phase's steps; the losses are read after each.
ALONE = 20  # Steps at most that are timed on one batch, and batches that are timed by themselves.
COLUMNS = (
    "recipe, phase", "finite", "loss", "a step", "on one batch", "a batch", "waits for",
    "lesson 10's estimate", "T operations a second", "memory",
)  # fmt: skip


def estimate(device: str, operations: float) -> str:
    """How long lesson 10 thinks that a step takes, best case and worst."""
    for name, (rate, memory) in GPUS.items():
        if name in device.replace("-", " ").split():
            best = operations / (rate * USED)
            worst = operations / (TITAN[0] * memory / TITAN[1])
            return f"{1000 * best:.0f} to {1000 * worst:.0f} ms"
    return "-"


def peak_memory(gpu: bool) -> float:
    """Bytes: of the GPU since it was last asked, or of the process since it began."""
    if not gpu:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    tf.config.experimental.reset_memory_stats("GPU:0")
    return peak


def phases(recipe: recipes.Recipe, steps: int) -> dict[str, int]:
    """How many of the steps each phase gets, at least a quarter for the last one."""
    pretraining = min(round(recipe.pretraining * steps), steps - math.ceil(steps / 4))
    found = {"pretraining": pretraining, "adversarial": steps - pretraining}
    return {phase: count for phase, count in found.items() if count}


def train(gan, step, batches, count: int) -> tuple[float, float]:
    """Seconds of a step, and the mean loss, which is read once, as in training."""
    gan.sums.assign([0.0] * len(LOGGED))
    begin = time.perf_counter()
    for _ in range(count):
        step(next(batches))
    loss = gan.sums.numpy()[0] / count
    return (time.perf_counter() - begin) / count, loss


def check(name: str, profile, pairs, steps: int, fresh_blur: float, device: str) -> list[tuple]:
    """Train one recipe; a row of the table for each phase."""
    recipe, gpu = recipes.choose(name), bool(tf.config.list_physical_devices("GPU"))
    plan = phases(recipe, steps)
    gan = build_gan(
        recipe=recipe,
        profile=dataclasses.replace(profile, offline=True),
        pretraining_steps=plan.get("pretraining", 0),
        steps=steps,
    )
    stream = training_batches(pairs, profile.crop, profile.batch, seed=0, fresh_blur=fresh_blur)
    batches = iter(stream)
    batch = next(batches)
    begin = time.perf_counter()
    for _ in range(ALONE):
        next(batches)
    feeding = (time.perf_counter() - begin) / ALONE
    parts = cost.step_operations(gan, profile.crop, profile.batch)
    operations = {
        "pretraining": parts["generator"] + parts.get("Muon", 0),
        "adversarial": sum(parts.values()),
    }
    rows = []
    for phase, count in plan.items():
        gan.compile(gan.optimizer, gan.critic_optimizer, **build.loss_weights(recipe)[phase])
        step = compiled_train_step(tf.distribute.get_strategy(), gan)
        # The first block traces the graph, and is not timed.
        blocks = [len(part) for part in np.array_split(range(count), BLOCKS) if len(part)]
        seconds, losses = zip(*[train(gan, step, batches, block) for block in blocks])
        finite = np.isfinite([*losses, *(np.sum(w) for w in gan.get_weights())]).all()
        seconds = statistics.median(seconds[1:] or seconds)
        alone, _ = train(gan, step, itertools.repeat(batch), min(ALONE, count))
        rows.append(
            (
                f"`{name}`, {phase}, {count} steps",
                "yes" if finite else "**no**",
                f"{losses[0]:.3g} to {losses[-1]:.3g}",
                f"{1000 * seconds:.0f} ms",
                f"{1000 * alone:.0f} ms",
                f"{1000 * feeding:.0f} ms",
                "the input" if seconds > 1.2 * alone else "the device",
                estimate(device, operations[phase]),
                f"{operations[phase] / alone / 1e12:.2f}",
                f"{peak_memory(gpu) / 1e9:.1f} GB",
            )
        )
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200, help="of each recipe")
    parser.add_argument("--profile", default="colab", help=", ".join(profiles.PROFILES))
    parser.add_argument("--precision", default="auto", help=", ".join(POLICIES))
    parser.add_argument("--recipes", nargs="+", default=list(recipes.RECIPES))
    parser.add_argument("--data", default="sample", help="as for `deblurgan train`")
    args = parser.parse_args(arguments)
    profile = profiles.choose(args.profile, gpu=True)
    folder = find_data(args.data)
    fresh_blur = FRESH_BLUR if is_complete(folder) else 0.0
    pairs = find_pairs(folder / "train")
    policy = measure_precision() if args.precision == "auto" else args.precision
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    device = details[0].get("device_name", "unknown GPU") if gpus else "no GPU"
    print(
        f"{device}, {table.machine('tensorflow', 'keras')}; {policy}, profile {args.profile}, "
        f"{len(pairs)} pairs of {args.data}; commit {paths.commit()}\n"
    )
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for name in args.recipes:
        try:
            with dtype_policy(policy):
                rows = check(name, profile, pairs, args.steps, fresh_blur, device)
        except tf.errors.ResourceExhaustedError:
            rows = [(f"`{name}`", "out of memory", *("-" for _ in COLUMNS[2:]))]
        for row in rows:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
