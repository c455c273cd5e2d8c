"""One training run, from a data set to a folder with everything worth keeping.

Starting a run again under the same name continues it; the folder itself is `run.py`.
"""

import dataclasses
import os
import platform
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import evaluation, figures, restoration
from ..data import blur
from ..data.pairs import Pair, find_pairs, spread
from ..data.pipeline import training_batches, whole_photos
from ..data.sample import is_complete
from ..errors import CourseError
from ..files import write_json
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


def pretraining_epochs(recipe: recipes.Recipe, epochs: int) -> int:
    """How many of the epochs train with the pixel loss alone; the last one never does."""
    return min(round(recipe.pretraining * epochs), epochs - 1)


def train(
    run_name: str,
    data: Path,
    runs: Path,
    recipe: str | recipes.Recipe = "course",
    profile: str | profiles.Profile = "auto",
    epochs: int = 0,
    seed: int = 0,
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

    Args:
        run_name: folder of the run below `runs`; letters, digits, `.`, `_` and `-`; empty for
            `RECIPE-PROFILE`.
        data: a data set, see `data.pairs`.
        runs: where runs are kept.
        recipe: a name in `recipes.RECIPES`, or a recipe of your own.
        profile: a name in `profiles.PROFILES`, `"auto"`, or a profile of your own.
        epochs: number of epochs; 0 for the profile's.
        seed: of the first weights and of the data; on one machine the same seed gives the same
            run but for the order in which threads add (see README).
        fresh_blur: share of crops whose blur is not the one on disk but a camera shake made anew
            from the sharp half; None: a half in the sample set, where all blur is of that kind,
            and none elsewhere.
        start_from: a trained generator, as for `restoration.load`, to fine-tune: this run begins
            with its weights, at a quarter of the recipe's learning rate; empty: random weights.
        precision: the Keras dtype policy to train in: `"float32"`, `"mixed_bfloat16"` or
            `"mixed_float16"`; `"auto"`: that of the run so far, or else the device's fastest.
        minutes: a checkpoint is made when so many have passed since the last one.
        callbacks: further Keras callbacks; with several machines each has its own.
        verbose: as in `keras.Model.fit`.

    Returns:
        The finished run. A run that was finished before is returned as it is.

    Raises:
        CourseError: an argument does not fit, the data is not right, training diverged, or the
            disk is full. What was in the run's folder stays.
    """
    strategy = devices.choose()
    gpus = tf.config.list_physical_devices("GPU")
    built_in = is_complete(Path(data))
    profile = profiles.choose(profile, gpu=bool(gpus), few_photos=built_in)
    recipe = recipes.choose(recipe)
    names = recipes.name_of(recipe), profiles.name_of(profile)
    run_name = run_name or "-".join(names)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", run_name):
        raise CourseError(
            f"The run name {run_name!r} may hold only letters, digits, '.', '_' and '-'; "
            "where runs are kept is another argument."
        )
    if epochs < 0:
        raise CourseError(f"epochs={epochs} is negative; 0 stands for the profile's number.")
    if precision not in ("auto", *POLICIES):
        raise CourseError(
            f"There is no precision {precision!r}; choose one of auto, {', '.join(POLICIES)}."
        )
    if not 0 <= seed < 2**31:
        raise CourseError(f"seed={seed} is not between 0 and {2**31 - 1}.")
    devices.per_replica_batch(profile.batch, strategy)
    if fresh_blur is None:
        fresh_blur = FRESH_BLUR if built_in else 0.0
    if not 0 <= fresh_blur <= 1:
        raise CourseError(f"fresh_blur={fresh_blur} is not a share between 0 and 1.")
    epochs = epochs or profile.epochs
    run, data = Run(Path(runs) / run_name), Path(data).resolve()
    start = restoration.find_weights(start_from, runs) if start_from and not run.has_begun else None
    train_pairs = find_pairs(data / "train")
    test_pairs = find_pairs(data / "test")
    _check_test_sizes(test_pairs)
    if precision == "auto":
        precision = run.config["precision"] if run.has_begun else measure_precision()
    config = {
        "recipe": names[0],
        "profile": names[1],
        "data": data.name,
        "epochs": epochs,
        "seed": seed,
        "precision": precision,
        "features": feature_network_name(recipe, profile),
        "fresh_blur": fresh_blur,
        "start_from": str(start_from),
        "start_checksum": checksum(start) if start else None,
        "shakes": "sample" if built_in else FRAME_SHAKES,
        "recipe_values": dataclasses.asdict(recipe),
        "profile_values": dataclasses.asdict(profile),
        "pairs": {"train": len(train_pairs), "test": len(test_pairs)},
        "device": gpus[0].name if gpus else f"CPU, {os.cpu_count()} cores",
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
    }
    with run.explained():
        if devices.is_chief(strategy) and not run.has_begun:
            run.begin(config)
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
            if devices.is_chief(strategy):
                _finish(run, recipe, profile, gan, test_pairs)
            devices.barrier(strategy)
    return run


def _check_test_sizes(pairs: list[Pair]) -> None:
    """Better before the training than after it."""
    for pair in pairs:
        width, height = photo_size(pair.sharp)
        if min(width, height) < evaluation.SSIM_WINDOW:
            raise CourseError(
                f"{pair.sharp} is {width}x{height}; a test photo needs at least "
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
    """Keras' `fit`, but that it continues in the middle of an epoch, and on several machines."""
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
        run.forget_after(done // n)
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
    validation = whole_photos(spread(test_pairs, profile.validation_photos))
    test_step = _compiled_test_step(strategy, gan, validation.element_spec)
    gan.stop_training = False
    callbacks.on_train_begin()
    for end, terms in phases:
        if end == 0 or done > end:
            continue
        with strategy.scope():
            gan.compile(gan.optimizer, gan.critic_optimizer, **terms)
        train_step = _compiled_train_step(strategy, gan)
        for step in range(done, end):
            if gan.stop_training:
                break
            epoch, i = divmod(step, n)
            if i == 0:
                gan.sums.assign(np.zeros(gan.sums.shape))
            if i == 0 or step == done:
                callbacks.on_epoch_begin(epoch)
            callbacks.on_train_batch_begin(i)
            train_step(next(batches))
            logs = dict(zip(LOGGED, (gan.sums.numpy() / (i + 1)).tolist()))
            callbacks.on_train_batch_end(i, logs)
            if i + 1 == n:
                callbacks.on_test_begin()
                psnr = evaluation.mean_psnr([float(test_step(pair)) for pair in validation])
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


def _compiled_train_step(strategy, gan: DeblurGAN):
    """`gan`'s step as a graph, for the terms it is compiled with; adds its values to `gan.sums`."""

    def step(batch):
        values = gan.train_step(batch)
        return tf.stack([values[name] for name in LOGGED])

    @tf.function(autograph=False)
    def train_step(batch):
        values = strategy.run(step, args=(batch,))
        gan.sums.assign_add(strategy.reduce("MEAN", values, axis=None))

    return train_step


def _compiled_test_step(strategy, gan: DeblurGAN, photos):
    """`gan`'s test as one graph for photographs of all sizes and all terms."""

    @tf.function(input_signature=[photos], autograph=False)
    def test_step(pair):
        # Each device scores every photograph: photographs of any size cannot share a batch.
        values = strategy.run(gan.test_step, args=(pair,))
        return strategy.experimental_local_results(values["psnr"])[0]

    return test_step


def _save_generator(recipe, profile, gan: DeblurGAN, path: Path) -> keras.Model:
    """Save the generator in float32, whatever it was trained in."""
    with dtype_policy("float32"):
        generator = build_generator(recipe, profile)
    generator.set_weights(gan.generator.get_weights())
    restoration.save(generator, path)
    return generator


def _finish(run: Run, recipe, profile, gan: DeblurGAN, test_pairs: list[Pair]) -> None:
    """Save the generator, score it, picture it; the report comes last."""
    generator = _save_generator(recipe, profile, gan, run.generator)
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
