"""One training run, from a data set to a folder with everything worth keeping.

Starting a run again under the same name continues it; the folder itself is `run.py`.
"""

import contextlib
import dataclasses
import hashlib
import os
import platform
import re
import unicodedata
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import evaluation, figures, restoration
from ..arguments import as_number, as_text, as_whole
from ..data import blur
from ..data.pairs import Pair, find_pairs, spread
from ..data.pipeline import training_batches
from ..data.sample import is_complete
from ..errors import CourseError
from ..files import write_json
from ..paths import commit
from ..photos import photo_size, read_photo, write_photo
from ..precision import POLICIES, dtype_policy, measure_precision
from . import devices, profiles, recipes
from .build import build_gan, build_generator, feature_network_name, loss_weights
from .callbacks import SaveCheckpoint, StopWhenNotFinite, WriteMetrics
from .gan import LOGGED, DeblurGAN
from .run import Run, checksum

FRESH_BLUR = 0.5  # Share of crops whose blur is made anew, in the synthetic sample set.
# Kernel profile for real frames, pixels: the blur of GOPRO is up to about 50 pixels long.
FRAME_SHAKES = (7, 11, 15, 21, 27, 33, 39, 45, 51)
SHAKES_PER_SIZE = 64
# Of the recipe's learning rate, for a generator that is trained already: at the whole rate one lost
# 0.9 dB before it came back and gained 0.1.
FINE_TUNING_SCALE = 0.25
# Steps from one look at the losses to the next: the host waits then until the device has caught up.
LOSSES_EVERY = 20


def pretraining_epochs(recipe: recipes.Recipe, epochs: int) -> int:
    """How many of the epochs train with the pixel loss alone; the last one never does."""
    return min(round(recipe.pretraining * epochs), epochs - 1)


def train(
    run_name: str,
    data: Path,
    runs: Path,
    recipe: str | recipes.Recipe = "",
    profile: str | profiles.Profile = "auto",
    epochs: int = 0,
    seed: int | None = None,
    fresh_blur: float | None = None,
    start_from: str | Path = "",
    precision: str = "auto",
    minutes: float = 2.0,
    callbacks: tuple = (),
    verbose: int = 2,
) -> Run:
    """Train a DeblurGAN, or continue a training that was interrupted.

    All GPUs of this machine share each batch, and with `TF_CONFIG` those of several machines, each
    of which calls this function; `data` and `runs` are then folders that all of them see.

    A run that has begun keeps what it was begun with: an argument that is left out is the run's,
    another value than the run's is refused. More `epochs` than before continue a run whose
    learning rate is constant, without pretraining.

    Args:
        run_name: folder of the run below `runs`; letters, digits, `.`, `_` and `-`; empty for
            `RECIPE-PROFILE`.
        data: a data set, see `data.pairs`. A run knows it by the names of its pairs, so that its
            folder may be moved or renamed.
        runs: where runs are kept.
        recipe: a name in `recipes.RECIPES`, a recipe of your own, or empty for `"course"`.
        profile: a name in `profiles.PROFILES`, `"auto"`, or a profile of your own.
        epochs: number of epochs; 0 for the profile's.
        seed: of the first weights and of the data, None for 0; on one machine the same seed gives
            the same run but for the order in which threads add (docs/training.md).
        fresh_blur: share of crops whose blur is not the one on disk but a camera shake made anew
            from the sharp half; None: a half in the sample set, where all blur is of that kind,
            and none elsewhere.
        start_from: a trained generator, as for `restoration.load`, to fine-tune: this run begins
            with its weights, at a quarter of the recipe's learning rate; empty: random weights.
        precision: the Keras dtype policy to train in: `"float32"`, `"mixed_bfloat16"` or
            `"mixed_float16"`; `"auto"`: the device's fastest.
        minutes: a checkpoint is made when so many have passed since the last one.
        callbacks: further Keras callbacks; with several machines each has its own. At the end of a
            batch they are given the losses as they were last read, which is every 20 steps.
        verbose: as in `keras.Model.fit`.

    Returns:
        The finished run. A run that was finished before is returned as it is; if only its report
        is missing or damaged, its generator is scored again.

    Raises:
        CourseError: an argument does not fit, the data is not right, training diverged, another
            process trains this run, or the disk refuses. What was in the run's folder stays.
    """
    strategy = devices.choose()
    run_name, data, start_from = (
        as_text(value, name)
        for name, value in (("run_name", run_name), ("data", data), ("start_from", start_from))
    )
    precision = as_text(precision, "precision") or "auto"
    epochs, seed = as_whole(epochs, "epochs") or 0, as_whole(seed, "seed")
    fresh_blur, minutes = as_number(fresh_blur, "fresh_blur"), as_number(minutes, "minutes") or 0.0
    _check_ranges(epochs, seed, fresh_blur, precision)
    gpus = tf.config.list_physical_devices("GPU")
    built_in = is_complete(Path(data))
    recipe_is_given, profile_is_given = recipe not in ("", None), profile not in ("auto", "", None)
    recipe = recipes.choose(recipe)
    profile = profiles.choose(profile, gpu=bool(gpus), few_photos=built_in)
    run_name = run_name or f"{recipes.name_of(recipe)}-{profiles.name_of(profile)}"
    _check_name(run_name)
    run, data = Run(Path(runs) / run_name), Path(data).resolve()
    chief = devices.is_chief(strategy)
    with run.explained():
        if not chief:
            devices.barrier(strategy)  # Until the chief has begun the run.
        before = run.config if run.has_begun or not chief else {}
        if before and not recipe_is_given:
            recipe = run.kept("recipe", recipes.Recipe)
        if before and not profile_is_given:
            profile = run.kept("profile", profiles.Profile)
        devices.per_replica_batch(profile.batch, strategy)
        train_pairs, test_pairs = find_pairs(data / "train"), find_pairs(data / "test")
        _check_test_sizes(test_pairs)
        start = _find_start(start_from, runs, before)
        names = [unicodedata.normalize("NFC", pair.sharp.stem) for pair in train_pairs + test_pairs]
        binding = {
            "recipe": recipes.name_of(recipe),
            "profile": profiles.name_of(profile),
            "recipe_values": dataclasses.asdict(recipe),
            "profile_values": dataclasses.asdict(profile),
            "pairs": {"train": len(train_pairs), "test": len(test_pairs)},
            "pair_names": hashlib.sha256("\n".join(names).encode()).hexdigest()[:32],
            "epochs": epochs or before.get("epochs", profile.epochs),
            "seed": before.get("seed", 0) if seed is None else seed,
            "fresh_blur": fresh_blur,
            "precision": precision,
            "start_checksum": checksum(start) if start else before.get("start_checksum"),
        }
        if fresh_blur is None:
            default = FRESH_BLUR if built_in else 0.0
            binding["fresh_blur"] = before.get("fresh_blur", default)
        if precision == "auto":
            binding["precision"] = before.get("precision") or measure_precision()
        describing = {
            "data": data.name,
            "start_from": start_from or before.get("start_from", ""),
            "features": feature_network_name(recipe, profile),
            "shakes": "sample" if built_in else FRAME_SHAKES,
            "device": gpus[0].name if gpus else f"CPU, {os.cpu_count()} cores",
            "commit": commit(),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
        }
        config = binding | describing
        is_done = run.is_finished and config["epochs"] <= run.config["epochs"]
        with run.exclusive() if chief and not is_done else contextlib.nullcontext():
            if chief:
                if not run.has_begun:
                    run.begin(config)
                run.extend(config)
                run.check(config)
                _mend_report(run, test_pairs)
                devices.barrier(strategy)
            run.check(config)
            if not run.is_finished:
                with dtype_policy(run.config["precision"]):
                    gan = _fit(
                        run,
                        strategy,
                        recipe,
                        profile,
                        train_pairs,
                        test_pairs,
                        start,
                        minutes,
                        callbacks,
                        verbose,
                    )
                if chief:
                    _finish(run, recipe, profile, gan, test_pairs)
                devices.barrier(strategy)
    return run


def _check_name(run_name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", run_name) or run_name.endswith(".keras"):
        raise CourseError(
            f"The run name {run_name!r} may hold only letters, digits, '.', '_' and '-', and not "
            "end in .keras; where runs are kept is another argument."
        )
    if run_name.lower() in restoration.shipped():
        raise CourseError(
            f"The run name {run_name!r} is that of a generator that is shipped; choose another, "
            "and if such a run has begun, rename its folder to go on."
        )


def _check_ranges(epochs: int, seed: int | None, fresh_blur: float | None, precision: str) -> None:
    if epochs < 0:
        raise CourseError(f"epochs={epochs} is negative; 0 stands for the profile's number.")
    if not 0 <= (seed or 0) < 2**31:
        raise CourseError(f"seed={seed} is not between 0 and {2**31 - 1}.")
    if not 0 <= (fresh_blur or 0) <= 1:
        raise CourseError(f"fresh_blur={fresh_blur} is not a share between 0 and 1.")
    if precision not in ("auto", *POLICIES):
        raise CourseError(
            f"There is no precision {precision!r}; choose one of auto, {', '.join(POLICIES)}."
        )


def _find_start(start_from: str, runs: Path, before: dict) -> Path | None:
    """The file to start from; one that is gone does not matter to a run that has begun with it."""
    if not start_from:
        return None
    try:
        return restoration.find_weights(start_from, runs)
    except CourseError:
        if before.get("start_from") == start_from:
            return None
        raise


def _check_test_sizes(pairs: list[Pair]) -> None:
    """Better before the training than after it."""
    for pair in pairs:
        width, height = photo_size(pair.sharp)
        if min(width, height) < evaluation.SSIM_WINDOW:
            raise CourseError(
                f"{pair.sharp} is {width}x{height}; take it out, a test photo needs at least "
                f"{evaluation.SSIM_WINDOW}x{evaluation.SSIM_WINDOW} pixels to be scored."
            )


def _build(config, recipe, profile) -> tuple[DeblurGAN, tuple]:
    """The model, and its phases: up to which step, for which terms."""
    pretraining = pretraining_epochs(recipe, config["epochs"]) * profile.steps_per_epoch
    end = config["epochs"] * profile.steps_per_epoch
    gan = build_gan(
        recipe=recipe,
        profile=profile,
        pretraining_steps=pretraining,
        steps=end,
        learning_rate_scale=FINE_TUNING_SCALE if config["start_checksum"] else 1.0,
        seed=config["seed"],
    )
    terms = loss_weights(recipe)
    return gan, ((pretraining, terms["pretraining"]), (end, terms["adversarial"]))


def _take_weights(generator: keras.Model, path: Path) -> None:
    weights = restoration.load(path).get_weights()
    if [w.shape for w in weights] != [w.shape for w in generator.get_weights()]:
        raise CourseError(
            f"{path} holds a generator of other sizes than this run's; "
            "choose the recipe and the profile that it was trained with."
        )
    generator.set_weights(weights)


def _fit(
    run, strategy, recipe, profile, train_pairs, test_pairs, start, minutes, callbacks, verbose
) -> DeblurGAN:
    """What Keras' `fit` does, and what it cannot do.

    A `DeblurGAN` trains by `compile` and `fit` as any model does. But `fit` begins with a whole
    epoch, and does not run on several machines (keras-team/keras#20585).
    """
    config, n = run.config, profile.steps_per_epoch
    with strategy.scope():
        gan, phases = _build(config, recipe, profile)
    done = run.resume(gan)
    if start and not done:
        _take_weights(gan.generator, start)
    devices.barrier(strategy, done)
    averaged = [keras.callbacks.SwapEMAWeights()] if recipe.averaging else []
    # Other callbacks come before the swap, so that they see the averaged weights when a test ends.
    callbacks = [StopWhenNotFinite(run), *callbacks, *averaged]
    if devices.is_chief(strategy):
        run.truncate_metrics(done // n)
        callbacks += [
            WriteMetrics(run),
            keras.callbacks.TensorBoard(run.folder / "logs", write_graph=False),
            SaveCheckpoint(run, minutes),
        ]
    callbacks = keras.callbacks.CallbackList(
        callbacks,
        add_progbar=verbose > 0,
        model=gan,
        verbose=verbose,
        epochs=config["epochs"],
        steps=n,
    )
    batches = iter(_batches(strategy, train_pairs, profile, config, done))
    validation = spread(test_pairs, profile.validation_photos)
    generator = gan.generator
    if strategy is not tf.distribute.get_strategy():
        # Else each device would restore every photograph, and each machine send it to all others.
        generator = build_generator(recipe, profile)
    gan.stop_training = False
    callbacks.on_train_begin()
    for end, terms in phases:
        if end == 0 or done > end:
            continue
        with strategy.scope():
            gan.compile(gan.optimizer, gan.critic_optimizer, **terms)
        train_step = compiled_train_step(strategy, gan)
        for step in range(done, end):
            if gan.stop_training:
                break
            epoch, i = divmod(step, n)
            if i == 0:
                gan.sums.assign(np.zeros(gan.sums.shape))
            if i == 0 or step == done:
                logs = {}
                callbacks.on_epoch_begin(epoch)
            callbacks.on_train_batch_begin(i)
            train_step(next(batches))
            if (i + 1) % LOSSES_EVERY == 0 or i + 1 == n:
                logs = dict(zip(LOGGED, (gan.sums.numpy() / (i + 1)).tolist()))
            callbacks.on_train_batch_end(i, logs)
            if i + 1 == n:
                callbacks.on_test_begin()
                if generator is not gan.generator:
                    generator.set_weights(gan.generator.get_weights())
                psnr = evaluation.mean_psnr([_psnr(generator, pair) for pair in validation])
                callbacks.on_test_end({"psnr": psnr})
                callbacks.on_epoch_end(epoch, logs | {"val_psnr": psnr})
        done = end
        # A phase ends with the averaged weights in place, and the next one goes on from them.
        gan.optimizer.finalize_variable_values(gan.generator.trainable_variables)
        if terms is phases[0][1] and devices.is_chief(strategy):
            _save_generator(recipe, profile, gan, run.folder / "pixel_only.keras")
    callbacks.on_train_end()
    return gan


def _batches(strategy, pairs, profile, config, start_step):
    """The training batches, of which each device gets its part."""
    psfs = None
    if config["fresh_blur"] and config["shakes"] != "sample":
        psfs = blur.mixed_psfs(SHAKES_PER_SIZE, config["seed"], config["shakes"])

    def of_machine(place):
        return training_batches(
            pairs,
            profile.crop,
            profile.batch,
            config["seed"],
            start_step=start_step,
            fresh_blur=config["fresh_blur"],
            psfs=psfs,
            worker=place.input_pipeline_id,
            workers=place.num_input_pipelines,
        ).rebatch(devices.per_replica_batch(profile.batch, strategy))

    return strategy.distribute_datasets_from_function(of_machine)


def compiled_train_step(strategy, gan: DeblurGAN):
    """`gan`'s step as a graph, for the terms it is compiled with; adds its values to `gan.sums`."""

    def step(batch):
        values = gan.train_step(batch)
        return tf.stack([values[name] for name in LOGGED])

    @tf.function(autograph=False)
    def train_step(batch):
        values = strategy.run(step, args=(batch,))
        gan.sums.assign_add(strategy.reduce("MEAN", values, axis=None))

    return train_step


def _psnr(generator: keras.Model, pair: Pair) -> float:
    """PSNR in dB of a restored photograph; a large one is restored in tiles."""
    restored = restoration.restore(generator, read_photo(pair.blurred), bar=False)
    return evaluation.psnr(read_photo(pair.sharp), restored)


def _save_generator(recipe, profile, gan: DeblurGAN, path: Path) -> keras.Model:
    """Save the generator in float32, whatever it was trained in."""
    with dtype_policy("float32"):
        generator = build_generator(recipe, profile)
    generator.set_weights(gan.generator.get_weights())
    restoration.save(generator, path)
    return generator


def _finish(run: Run, recipe, profile, gan: DeblurGAN, test_pairs: list[Pair]) -> None:
    """Save the generator, score it, picture it; the report comes last."""
    _report(run, _save_generator(recipe, profile, gan, run.generator), test_pairs)


def _mend_report(run: Run, test_pairs: list[Pair]) -> None:
    """Score a generator again that lacks nothing but a whole report."""
    # Without a report and with checkpoints, the run may be on its way to more epochs.
    if run.is_finished or (run.checkpoints and not (run.folder / "report.json").exists()):
        return
    try:
        generator = restoration.load(run.generator)
    except CourseError:  # It is not there yet, or damaged too: the run goes on.
        return
    print(f"The run {run.folder.name} has no whole report; its generator is scored again.")
    _report(run, generator, test_pairs)


def _report(run: Run, generator: keras.Model, test_pairs: list[Pair]) -> None:
    """Score the generator and picture what it does."""
    report = evaluation.evaluate(lambda photo: restoration.restore(generator, photo), test_pairs)
    pair = test_pairs[0]
    blurred = read_photo(pair.blurred)
    keys = ("psnr_blurred", "psnr_restored")
    scores = [evaluation.decibels(report["photos"][0][key]) for key in keys]
    fig = figures.before_after(
        blurred, restoration.restore(generator, blurred), read_photo(pair.sharp), scores
    )
    write_photo(run.folder / "before_after.png", figures.as_photo(fig))
    write_json(run.folder / "report.json", report)
