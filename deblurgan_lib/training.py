"""One training run, from a data set to a folder with everything worth keeping.

Starting a run again under the same name continues it; the folder itself is `runs.py`.
"""

import dataclasses
import os
import platform
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from . import blur, devices, evaluation, figures, models, profiles, recipes, restore
from .datasets.pairs import Pair, find_pairs, spread
from .datasets.photos import photo_size, read_photo, write_photo
from .datasets.pipeline import training_batches, whole_photos
from .datasets.sample import is_complete
from .errors import CourseError
from .gan import LOGGED, DeblurGAN
from .losses import PerceptualLoss
from .muon import Muon
from .precision import measure_precision, precision
from .runs import Run, SaveCheckpoint, StopWhenNotFinite, WriteMetrics, checksum, write_json

FRESH_BLUR = 0.5  # Share of crops whose blur is made anew, in the synthetic sample set.
# Kernel sizes for real frames, pixels: the blur of GOPRO is up to about 50 pixels long.
FRAME_SHAKES = (7, 11, 15, 21, 27, 33, 39, 45, 51)
SHAKES_PER_SIZE = 64


# ---------------------------------------------------------------- what to compute, and how exactly


def build_generator(recipe: recipes.Recipe, profile: profiles.Profile) -> keras.Model:
    sizes = {"width": profile.width, "blocks": profile.blocks}
    shared = {"norm": recipe.norm, "skip": recipe.skip, "dropout": recipe.dropout}
    if recipe.generator == "folded_unet":
        return models.folded_unet_generator(**sizes, **shared)
    return models.resnet_generator(
        **sizes, **shared, upsampling=recipe.upsampling, stem=recipe.stem
    )


def build_critic(recipe: recipes.Recipe, profile: profiles.Profile) -> keras.Model:
    if recipe.critic == "tutorial":
        return models.tutorial_critic(profile.crop, profile.critic_width)
    return models.patch_critic(profile.critic_width, norm=recipe.critic_norm)


def feature_network_name(recipe: recipes.Recipe, profile: profiles.Profile) -> str:
    """Which VGG the run compares features with; offline it is always the installed VGG16."""
    return "vgg16-hed" if profile.offline else f"{recipe.features}-imagenet"


class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """The paper's schedule: constant for the first half of the steps, then linearly down to 0."""

    def __init__(self, initial_learning_rate, steps):
        self.initial_learning_rate = initial_learning_rate
        self.steps = steps

    def __call__(self, step):
        done = keras.ops.cast(step, "float32") / self.steps
        return self.initial_learning_rate * keras.ops.clip(2.0 - 2.0 * done, 0.0, 1.0)

    def get_config(self):
        return {"initial_learning_rate": self.initial_learning_rate, "steps": self.steps}


RISE = 0.07  # Share of a cosine schedule in which the learning rate rises.
HELD = 0.1  # Share of the highest learning rate that is left at its end.
# Share of the recipe's learning rate for a generator that is trained already: at the whole rate one
# lost 0.9 dB before it came back and gained 0.1.
AGAIN = 0.25


def build_optimizer(
    recipe: recipes.Recipe, rate: float, steps: int, muon: bool = False, averaging: float = 0.0
):
    """Adam or Muon as the recipe wants it, with a schedule over `steps` updates and at most `rate`.

    The rise matters where the last layer starts at zero: until it has moved, the gradients of all
    others are tiny and mostly noise, and Adam would take full steps along that noise.
    """
    if recipe.decay == "linear":
        rate = ConstantThenLinear(rate, steps)
    elif recipe.decay == "cosine":
        rise = max(round(RISE * steps), 1)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / rise, max(steps - rise, 1), HELD, warmup_target=rate, warmup_steps=rise
        )
    average = {"use_ema": averaging > 0, "ema_momentum": averaging or None}
    if muon:
        optimizer = Muon(rate, weight_decay=None, adam_weight_decay=None, **average)
    else:
        optimizer = keras.optimizers.Adam(rate, beta_1=recipe.beta_1, **average)
    if keras.config.dtype_policy().name == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def warmup_epochs(recipe: recipes.Recipe, epochs: int) -> int:
    """How many of the epochs train with the pixel term alone; the last one never does."""
    return min(round(recipe.warmup * epochs), epochs - 1)


# --------------------------------------------------------------------------------------- the run


def train(
    run_name: str,
    data: Path,
    runs: Path,
    recipe: str = "course",
    profile: str = "auto",
    epochs: int = 0,
    seed: int = 0,
    fresh_blur: float | None = None,
    start_from: str | Path = "",
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
        data: a data set, see `datasets.pairs`.
        runs: where runs are kept.
        recipe: a name in `recipes.RECIPES`.
        profile: a name in `profiles.PROFILES`, or `"auto"`.
        epochs: number of epochs; 0 for the profile's.
        seed: of the first weights and of the data; on one machine the same seed gives the same
            run but for the order in which threads add (see README).
        fresh_blur: share of crops whose blur is not the one on disk but a camera shake made anew
            from the sharp half; None: a half in the sample set, where all blur is of that kind,
            and none elsewhere.
        start_from: a trained generator, as for `restore.load`, whose weights are the first ones of
            this run's generator, which then learns at a quarter of the recipe's rate; empty:
            random ones.
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
    sizes = profiles.PROFILES[profile]
    what = recipes.choose(recipe)
    run_name = run_name or f"{recipe}-{profile}"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", run_name):
        raise CourseError(
            f"The run name {run_name!r} may hold only letters, digits, '.', '_' and '-'; "
            "where runs are kept is another argument."
        )
    if epochs < 0:
        raise CourseError(f"epochs={epochs} is negative; 0 stands for the profile's number.")
    if not 0 <= seed < 2**31:
        raise CourseError(f"seed={seed} is not between 0 and {2**31 - 1}.")
    devices.share_of(sizes.batch, strategy)
    if fresh_blur is None:
        fresh_blur = FRESH_BLUR if built_in else 0.0
    if not 0 <= fresh_blur <= 1:
        raise CourseError(f"fresh_blur={fresh_blur} is not a share between 0 and 1.")
    epochs = epochs or sizes.epochs
    run, data = Run(Path(runs) / run_name), Path(data).resolve()
    start = restore.find_weights(start_from, runs) if start_from and not run.has_begun else None
    train_pairs = find_pairs(data / "train")
    test_pairs = find_pairs(data / "test")
    _check_test_sizes(test_pairs)
    policy = run.config["precision"] if run.has_begun else None
    config = {
        "recipe": recipe,
        "profile": profile,
        "data": data.name,
        "epochs": epochs,
        "seed": seed,
        "precision": policy or measure_precision(),
        "features": feature_network_name(what, sizes),
        "fresh_blur": fresh_blur,
        "start_from": str(start_from),
        "start_checksum": checksum(start) if start else None,
        "shakes": "sample" if built_in else FRAME_SHAKES,
        "recipe_values": dataclasses.asdict(what),
        "profile_values": dataclasses.asdict(sizes),
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
        devices.meet(strategy)
        run.check(config)
        if not run.is_finished:
            with precision(run.config["precision"]):
                gan = _fit(
                    run,
                    strategy,
                    what,
                    sizes,
                    train_pairs,
                    test_pairs,
                    start,
                    minutes,
                    callbacks,
                    verbose,
                )
            if devices.is_chief(strategy):
                _finish(run, what, sizes, gan, test_pairs)
            devices.meet(strategy)
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


def _build(config, what, sizes) -> tuple[DeblurGAN, tuple]:
    """The model, and its phases: up to which step, for which terms."""
    keras.utils.set_random_seed(config["seed"])
    perceptual = PerceptualLoss(config["features"], what.layer, what.before_relu, what.preprocess)
    gan = DeblurGAN(
        build_generator(what, sizes), build_critic(what, sizes), perceptual, config["seed"]
    )
    warm = warmup_epochs(what, config["epochs"]) * sizes.steps_per_epoch
    end = config["epochs"] * sizes.steps_per_epoch
    # The cosine belongs to the warm-up where there is one; what is left is held for the game.
    rate = what.learning_rate * (AGAIN if config["start_checksum"] else 1)
    optimizer = build_optimizer(what, rate, warm or end, what.optimizer == "muon", what.averaging)
    critic_steps = (end - warm) * what.critic_steps
    critic_optimizer = build_optimizer(what, what.critic_learning_rate, critic_steps)
    warm_terms = {"pixel": 1.0}
    full_terms = {
        "pixel": what.pixel,
        "perceptual": what.perceptual,
        "adversarial": what.adversarial,
        "critic_steps": what.critic_steps,
        "gradient_penalty": what.gradient_penalty,
        "fakes_from_inference": what.fakes_from_inference,
    }
    gan.compile(optimizer, critic_optimizer, **warm_terms)
    return gan, ((warm, warm_terms), (end, full_terms))


def _take_weights(generator: keras.Model, path: Path) -> None:
    weights = restore.load(path).get_weights()
    if [w.shape for w in weights] != [w.shape for w in generator.get_weights()]:
        raise CourseError(
            f"{path} holds a generator of other sizes than this run's; "
            "choose the recipe and the profile that it was trained with."
        )
    generator.set_weights(weights)


def _fit(
    run, strategy, what, sizes, train_pairs, test_pairs, start, minutes, callbacks, verbose
) -> DeblurGAN:
    """Keras' `fit`, but that it continues in the middle of an epoch, and on several machines."""
    config, n = run.config, sizes.steps_per_epoch
    with strategy.scope():
        gan, phases = _build(config, what, sizes)
    done = run.resume(gan)
    if start and not done:
        _take_weights(gan.generator, start)
    devices.meet(strategy, done)
    averaged = [keras.callbacks.SwapEMAWeights()] if what.averaging else []
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
    batches = iter(_batches(strategy, train_pairs, sizes, config, done))
    validation = whole_photos(spread(test_pairs, sizes.validation_photos))
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
                psnr = float(np.mean([test_step(pair) for pair in validation]))
                callbacks.on_test_end({"psnr": psnr})
                callbacks.on_epoch_end(epoch, logs | {"val_psnr": psnr})
        done = end
        # A phase ends with the averaged weights in place, and the next one goes on from them.
        gan.optimizer.finalize_variable_values(gan.generator.trainable_variables)
        if terms is phases[0][1] and devices.is_chief(strategy):
            _save_generator(what, sizes, gan, run.folder / "pixel_only.keras")
    callbacks.on_train_end()
    return gan


def _batches(strategy, pairs, sizes, config, start_step):
    """The training batches, of which each device gets its part."""
    psfs = None
    if config["fresh_blur"] and config["shakes"] != "sample":
        psfs = blur.mixed_psfs(SHAKES_PER_SIZE, config["seed"], config["shakes"])

    def of_machine(place):
        return training_batches(
            pairs,
            sizes.crop,
            sizes.batch,
            config["seed"],
            start_step=start_step,
            fresh_blur=config["fresh_blur"],
            psfs=psfs,
            worker=place.input_pipeline_id,
            workers=place.num_input_pipelines,
        ).rebatch(devices.share_of(sizes.batch, strategy))

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
    """`gan`'s test as one graph for photographs of all sizes and for all terms."""

    @tf.function(input_signature=[photos], autograph=False)
    def test_step(pair):
        # Each device scores every photograph: photographs of any size cannot share a batch.
        values = strategy.run(gan.test_step, args=(pair,))
        return strategy.experimental_local_results(values["psnr"])[0]

    return test_step


def _save_generator(what, sizes, gan: DeblurGAN, path: Path) -> keras.Model:
    """Save the generator in float32, whatever it was trained in."""
    with precision("float32"):
        generator = build_generator(what, sizes)
    generator.set_weights(gan.generator.get_weights())
    restore.save(generator, path)
    return generator


def _finish(run: Run, what, sizes, gan: DeblurGAN, test_pairs: list[Pair]) -> None:
    """Save the generator, score it, picture it; the report comes last."""
    generator = _save_generator(what, sizes, gan, run.folder / "generator.keras")
    report = evaluation.evaluate(lambda photo: restore.restore(generator, photo), test_pairs)
    pair = test_pairs[0]
    blurred = read_photo(pair.blurred)
    keys = ("psnr_blurred", "psnr_restored")
    scores = [evaluation.decibels(report["photos"][0][key]) for key in keys]
    fig = figures.before_after(
        blurred, restore.restore(generator, blurred), read_photo(pair.sharp), scores
    )
    write_photo(run.folder / "before_after.png", figures.as_photo(fig))
    write_json(run.folder / "report.json", report)
