"""The long training of the shipped generators, in as many sittings as it takes.

    python experiments/train_generators.py --phase pixels --material FOLDER ... --state FILE

Three phases, each with a state file of its own: `pixels` trains what becomes `fidelity`, and `gan`
what stands behind the U-Net of the shipped `gan`: see `STARTS`. `features` is `gan` without its
critic, to compare. Everything that continues a phase is in its state file: its name; the averaged
weights of what is trained, in float16; the step, the seed, and a table of scores. At each of these
it is also kept as STATE_STEP.zip. Optimisers begin anew with each sitting: Muon remembers 20 steps.
"""

import argparse
import dataclasses
import io
import json
import os
import queue
import threading
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import keras
import numpy as np
from keras import ops

from deblurgan_lib import evaluation, restoration
from deblurgan_lib.data import blur, camera
from deblurgan_lib.models.critics import pair_critic
from deblurgan_lib.models.detail import BLOCKS, detail_generator, first_estimate, grow
from deblurgan_lib.photos import read_photo
from deblurgan_lib.training.losses import FeatureLoss, frequency_loss, pixel_loss, relativistic_loss
from deblurgan_lib.training.optimizers import Muon

# GOPRO's test scenes, the REDS scene that is kept for scoring, and what nobody may train on.
KEPT_ASIDE = ("test", "GOPRO_test", "020", "Levin2009")
# Their sharp frame lies half a frame beside the middle of the blurred one.
UNUSED = ("GOPRO_averaged",)
SIZES = (7, 11, 15, 21, 27, 33, 39, 45, 51)  # Of kernels, pixels.
# What a crop is made from, and how often.
SHARES = {
    "gopro": 0.17, "reds": 0.17, "half size": 0.05, "high speed": 0.34, "camera": 0.15,
    "kernel": 0.12,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Phase:
    """What a generator is trained for.

    Args:
        steps: how many in all.
        crop, window, batch: pixels of a crop, and of the part of it that features and critic see,
            for both cost more than the generator; number of crops.
        rate: Muon's, or with features Adam's; held until the last third and then lowered by a
            cosine to a tenth.
        terms: weights of the generator's losses. Of `features` and `adversarial` it is the norm of
            the term's gradient at the restored picture, beside that of the pixels' terms and of
            all others together: the size of the one depends on how features are scaled, and a
            critic's grows and shrinks as it learns. The window moves by up to 7 pixels, so that no
            period of the generator's can settle in the period of the network that judges it.
        critic_rate: Adam's rate for the critic.
    """

    steps: int
    crop: int
    window: int
    batch: int
    rate: float
    terms: dict
    critic_rate: float = 1e-4


PHASES = {
    "pixels": Phase(12_000, 192, 192, 6, 3e-4, {"pixel": 1.0, "frequency": 1.0}),
    "gan": Phase(
        6_000, 160, 96, 4, 4e-4, {"pixel": 1.0, "features": 1.2, "adversarial": 0.8}, 2e-4,
    ),
    "features": Phase(1_500, 160, 96, 4, 4e-4, {"pixel": 1.0, "features": 1.2}),
}  # fmt: skip
# What each begins with: the U-Net of a shipped generator, which `gan` keeps as it is.
STARTS = {"pixels": "fidelity", "gan": "gan", "features": "gan"}
NETWORKS = {
    "pixels": {"blocks": (2, 3, 5, 5, 4), "half": 24, "full": 16, "after": (1, 0)},
    "gan": {"blocks": BLOCKS},
    "features": {"blocks": BLOCKS},
}
PLACES = 8  # Of the window, in either direction.
DEPTHS = ("block1_conv2", "block2_conv2", "block3_conv1")  # Of the features.
AVERAGING = 0.999
CRITIC_ALONE = 200  # Steps in which a new critic learns before the generator listens.
RISE = 100  # Steps in which the rate rises at the start of a sitting.
SCORED_EVERY = 500


# ------------------------------------------------------------------------------------- material


def find_pairs(folder: Path, aside: bool) -> list[tuple[Path, Path]]:
    """(blurred, sharp) of all `.../blur/NAME` and `.../sharp/NAME`, kept aside or not."""
    found = []
    for blurred in sorted(folder.rglob("blur/*")):
        scene = set(blurred.relative_to(folder).parts)
        if "Levin2009" in scene or scene & set(UNUSED):
            continue
        if bool(scene & set(KEPT_ASIDE)) == aside:
            found.append((blurred, blurred.parents[1] / "sharp" / blurred.name))
    return found


class Material:
    """Everything that is trained on, decoded; `draw` makes a batch of it."""

    def __init__(self, folders: list[Path], seed: int):
        self.sources = {"gopro": [], "reds": [], "half size": []}
        for folder in folders:
            for paths in find_pairs(folder, aside=False):
                kind = next(
                    kind
                    for kind, word in (
                        ("half size", "half_size"), ("reds", "REDS"), ("gopro", "GOPR")
                    )
                    if word in str(paths[1])
                )  # fmt: skip
                self.sources[kind].append([read_photo(path) for path in paths])
        self.frames = [
            np.stack([read_photo(path) for path in sorted(scene.iterdir())])
            for folder in folders
            for scene in sorted(folder.glob("GOPRO_240fps/*"))
        ]
        photos = [path for folder in folders for path in sorted(folder.glob("photos/*.jpg"))]
        self.photos = [read_photo(path) for path in photos]
        self.sharp = [sharp for kind in ("gopro", "reds") for _, sharp in self.sources[kind]]
        self.psfs = blur.mixed_psfs(64, seed, SIZES)
        self.seed = seed

    def pair(self, kind: str, size: int, rng) -> tuple[np.ndarray, np.ndarray]:
        """Blurred and sharp, uint8 (size, size, 3) each."""
        if kind == "high speed":
            frames = self.frames[rng.integers(len(self.frames))]
            # Few frames far apart leave stripes, as in GOPRO's means of a fast motion.
            if rng.random() < 0.5:
                return camera.high_speed_pair(frames[:: rng.integers(2, 5)], size, rng, most=9)
            return camera.high_speed_pair(frames, size, rng)
        if kind in self.sources:
            pairs = self.sources[kind]
            blurred, sharp = pairs[rng.integers(len(pairs))]
            top, left = (int(rng.integers(side - size + 1)) for side in sharp.shape[:2])
            inside = slice(top, top + size), slice(left, left + size)
            return blurred[inside], sharp[inside]
        some = self.photos if rng.random() < 0.75 else self.sharp
        photo, front = some[rng.integers(len(some))], some[rng.integers(len(some))]
        # Smaller photographs are sharper, and show more.
        if min(photo.shape[:2]) // 2 >= size and rng.random() < 0.3:
            photo, front = _halved(photo), _halved(front)
        if kind == "camera":
            return camera.camera_pair(
                photo, size, rng, front if min(front.shape[:2]) >= size else None
            )
        psf = self.psfs[rng.integers(len(self.psfs))]
        if rng.random() < 0.3:
            psf = _in_steps(psf, int(rng.integers(2, 6)), rng.random() < 0.5)
        margin = len(psf) // 2
        window = camera.cut(photo, size, margin, rng)[0]
        inside = slice(margin, margin + size)
        return blur.blur(window, psf, rng.random() < 0.3)[inside, inside], window[inside, inside]

    def draw(self, step: int, crop: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch number `step`, the same for the same seed: (blurred, sharp), uint8."""
        rng = np.random.default_rng((self.seed, step))
        kinds = rng.choice(list(SHARES), size=batch, p=list(SHARES.values()))
        made = []
        for kind in kinds:
            for _ in range(3):  # Sky and shadow teach nothing.
                blurred, sharp = self.pair(kind, crop, rng)
                if np.abs(np.diff(sharp[..., 1].astype(np.float32), axis=0)).mean() > 2:
                    break
            rotations = int(rng.integers(4))
            pair = np.stack([blurred, sharp])
            made.append(
                np.rot90(pair[:, :, ::-1] if rng.random() < 0.5 else pair, rotations, (1, 2))
            )
        made = np.stack(made)
        return made[:, 0], made[:, 1]


def _in_steps(psf: np.ndarray, step: int, sideways: bool) -> np.ndarray:
    """The kernel of a motion that is seen every so many pixels only, if it goes as far as that."""
    seen = np.zeros(len(psf))
    seen[len(psf) // 2 % step :: step] = 1
    stepped = psf * (seen if sideways else seen[:, None])
    return stepped / stepped.sum() if stepped.sum() > 0.1 else psf


def _halved(photo: np.ndarray) -> np.ndarray:
    height, width = (side // 2 * 2 for side in photo.shape[:2])
    squares = photo[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.rint(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def ahead(material: Material, first: int, phase: Phase):
    """Batches from step `first` on, made by a thread beside the training."""
    made = queue.Queue(3)

    def make():
        for step in range(first, phase.steps):
            made.put(material.draw(step, phase.crop, phase.batch))

    threading.Thread(target=make, daemon=True).start()
    while True:
        yield made.get()


# ---------------------------------------------------------------------------------------- state


def save_state(path: Path, networks: dict, about: dict) -> None:
    """Weights as float16 and what is known, in one zip file, beside its place and then renamed."""
    beside = path.with_suffix(".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("about.json", json.dumps(about, indent=1))
        for name, values in networks.items():
            flat = np.concatenate([ops.convert_to_numpy(value).ravel() for value in values])
            buffer = io.BytesIO()
            # The bytes of all signs and exponents first: they repeat, so they can be packed.
            pairs = flat.astype("<f2").view(np.uint8).reshape(-1, 2)
            np.save(buffer, np.ascontiguousarray(pairs.T))
            file.writestr(f"{name}.npy", buffer.getvalue())
    os.replace(beside, path)


def load_state(path: Path) -> tuple[dict, dict]:
    """`save_state`'s networks, each as one float32 vector, and what is known."""
    with zipfile.ZipFile(path) as file:
        about = json.loads(file.read("about.json"))
        networks = {}
        for name in file.namelist():
            if name.endswith(".npy"):
                halves = np.load(io.BytesIO(file.read(name)))
                flat = np.ascontiguousarray(halves.T).view("<f2").ravel()
                networks[name.removesuffix(".npy")] = flat.astype(np.float32)
    return networks, about


def set_weights(variables: list, flat: np.ndarray) -> None:
    values, at = [], 0
    for variable in variables:
        size = int(np.prod(variable.shape))
        values.append(flat[at : at + size].reshape(variable.shape))
        at += size
    if at != flat.size:
        raise SystemExit(f"The state holds {flat.size} weights, the network {at}.")
    for variable, value in zip(variables, values):
        variable.assign(value)


# ------------------------------------------------------------------------------------- training


LOGGED = ("pixel", "frequency", "features", "adversarial", "critic", "blurred")


def to_float(photos):
    """uint8 to float32 in [-1, 1], for either backend."""
    return ops.cast(photos, "float32") / 127.5 - 1.0


class Trainer:
    """Generator and critic, the generator's averaged weights, and what a step wants of them.

    How gradients are found and weights are kept is the backend's: see the two classes below, which
    add `step(rate, listening, blurred, sharp)`. It takes uint8 crops and returns the `LOGGED`.
    """

    def __init__(self, generator: keras.Model, critic: keras.Model, phase: Phase):
        self.generator, self.critic, self.phase = generator, critic, phase
        self.average = [keras.Variable(w, trainable=False) for w in generator.trainable_variables]
        self.plays = "adversarial" in phase.terms
        if "features" in phase.terms:
            self.optimizer = keras.optimizers.Adam(phase.rate, beta_1=0.5)
        else:
            self.optimizer = Muon(
                phase.rate, weight_decay=None, adam_weight_decay=None,
                exclude_layers=["to_rgb", "to_detail"],
            )  # fmt: skip
        self.optimizer.build(generator.trainable_variables)
        self.critic_optimizer = keras.optimizers.Adam(phase.critic_rate, beta_1=0.5)
        self.critic_optimizer.build(critic.trainable_variables)
        self.features = FeatureLoss(depths=DEPTHS) if "features" in phase.terms else None
        generator.compile(jit_compile=False)

    def window(self, photos, place):
        """The part of (B, H, W, C) that features and critic see; `place` holds its corner."""
        size = self.phase.window
        batch, channels = photos.shape[0], photos.shape[-1]
        return ops.slice(photos, (0, place[0], place[1], 0), (batch, size, size, channels))

    def pixels(self, restored, sharp):
        """The terms of pixels: their weighted sum, and each of them."""
        terms = {"pixel": pixel_loss, "frequency": frequency_loss}
        seen = {
            name: loss(sharp, restored) for name, loss in terms.items() if name in self.phase.terms
        }
        return sum(self.phase.terms[name] * value for name, value in seen.items()), seen

    def feature_loss(self, restored, sharp, place):
        return self.features(self.window(sharp, place), self.window(restored, place))

    def opinions(self, critic, blurred, sharp, restored, place):
        """The critic's scores of sharp and restored pictures, from one pass."""
        blurred, sharp, restored = (
            self.window(photos, place) for photos in (blurred, sharp, restored)
        )
        twice, pictures = ops.concatenate([blurred] * 2), ops.concatenate([sharp, restored])
        return ops.split(critic([twice, pictures]), 2)

    def joined(self, gradient, name, wish, listening=1.0):
        """Two gradients at the restored picture as one, see `Phase`."""
        length = ops.norm(ops.ravel(gradient)) / (ops.norm(ops.ravel(wish)) + 1e-12)
        return gradient + listening * self.phase.terms[name] * length * wish

    def logged(self, sharp, blurred, **seen):
        seen["blurred"] = pixel_loss(sharp, blurred)
        return ops.stack([ops.cast(seen.get(name, 0.0), "float32") for name in LOGGED])

    def settle(self):
        """Bring what was trained into the variables of the networks and of the average."""

    def averaged(self) -> list[np.ndarray]:
        """All weights of the generator, those that are trained averaged."""
        means = {id(w): m for w, m in zip(self.generator.trainable_variables, self.average)}
        return [ops.convert_to_numpy(means.get(id(w), w)) for w in self.generator.weights]

    def scores(self, pairs) -> list[float]:
        """Mean gain in PSNR of the averaged weights on groups of photographs, dB."""
        self.settle()
        trained = self.generator.get_weights()
        self.generator.set_weights(self.averaged())
        means = []
        for group in pairs.values():
            gains = []
            for blurred, sharp in group:
                restored = self.generator.predict_on_batch(to_float(blurred[None]))[0]
                restored = np.clip(np.rint((restored + 1) * 127.5), 0, 255).astype(np.uint8)
                before = evaluation.psnr(sharp, blurred)
                gains.append(evaluation.psnr(sharp, restored) - before)
            means.append(round(float(np.mean(gains)), 3))
        self.generator.set_weights(trained)
        return means


class TensorFlowTrainer(Trainer):
    def __init__(self, *args):
        super().__init__(*args)
        import tensorflow as tf

        self.tf = tf
        self.compiled = tf.function(self._step, autograph=False)

    def step(self, rate, listening, place, blurred, sharp):
        self.optimizer.learning_rate = rate
        return self.compiled(np.float32(listening), place, blurred, sharp).numpy()

    def _step(self, listening, place, blurred, sharp):
        blurred, sharp = to_float(blurred), to_float(sharp)
        with self.tf.GradientTape() as tape:
            restored = self.generator(blurred, training=True)
        with self.tf.GradientTape(persistent=True) as judged:
            judged.watch(restored)
            loss, seen = self.pixels(restored, sharp)
            if self.features:
                seen["features"] = self.feature_loss(restored, sharp, place)
            if self.plays:
                real, fake = self.opinions(self.critic, blurred, sharp, restored, place)
                seen["adversarial"] = relativistic_loss(fake, real)
        gradient = judged.gradient(loss, restored)
        if self.features:
            wish = judged.gradient(seen["features"], restored)
            gradient = self.joined(gradient, "features", wish)
        if self.plays:
            wish = judged.gradient(seen["adversarial"], restored)
            gradient = self.joined(gradient, "adversarial", wish, listening)
        weights = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(restored, [w.value for w in weights], gradient), weights)
        for mean, weight in zip(self.average, weights):
            mean.assign(AVERAGING * mean + (1 - AVERAGING) * weight)
        if self.plays:
            with self.tf.GradientTape() as tape:
                fakes = ops.stop_gradient(restored)
                scores = self.opinions(self.critic, blurred, sharp, fakes, place)
                seen["critic"] = relativistic_loss(*scores)
            weights = self.critic.trainable_variables
            gradients = tape.gradient(seen["critic"], [w.value for w in weights])
            self.critic_optimizer.apply(gradients, weights)
        return self.logged(sharp, blurred, **seen)


class JaxTrainer(Trainer):
    """All weights go into a step and come out of it: JAX compiles functions without variables."""

    def __init__(self, *args):
        super().__init__(*args)
        import jax

        self.jax = jax
        self.compiled = jax.jit(self._step, donate_argnums=0)
        self.holders = [
            self.generator.trainable_variables,
            self.optimizer.variables,
            self.average,
            self.critic.trainable_variables,
            self.critic_optimizer.variables,
        ]
        self.state = [[ops.copy(v.value) for v in group] for group in self.holders]
        paths = [v.path for v in self.optimizer.variables]
        self.rate_at = next(i for i, path in enumerate(paths) if path.endswith("learning_rate"))

    def step(self, rate, listening, place, blurred, sharp):
        self.state[1][self.rate_at] = np.float32(rate)
        self.state, seen = self.compiled(self.state, np.float32(listening), place, blurred, sharp)
        return np.asarray(seen)

    def _step(self, state, listening, place, blurred, sharp):
        weights, optimizer, average, critic_weights, critic_optimizer = state
        blurred, sharp = to_float(blurred), to_float(sharp)

        def restore(weights):
            return self.generator.stateless_call(weights, [], blurred, training=True)[0]

        def critic_loss(weights, restored, wanted):
            def critic(pictures):
                return self.critic.stateless_call(weights, [], pictures)[0]

            real, fake = self.opinions(critic, blurred, sharp, restored, place)
            return relativistic_loss(real, fake) if wanted else relativistic_loss(fake, real)

        restored, back = self.jax.vjp(restore, weights)
        gradient_of = self.jax.value_and_grad(lambda x: self.pixels(x, sharp), has_aux=True)
        (_, seen), gradient = gradient_of(restored)
        if self.features:
            differ = self.jax.value_and_grad(lambda x: self.feature_loss(x, sharp, place))
            seen["features"], wish = differ(restored)
            gradient = self.joined(gradient, "features", wish)
        if self.plays:
            opinion = self.jax.value_and_grad(lambda x: critic_loss(critic_weights, x, False))
            seen["adversarial"], wish = opinion(restored)
            gradient = self.joined(gradient, "adversarial", wish, listening)
            learn = self.jax.value_and_grad(lambda w: critic_loss(w, restored, True))
            seen["critic"], gradients = learn(critic_weights)
            critic_weights, critic_optimizer = self.critic_optimizer.stateless_apply(
                critic_optimizer, gradients, critic_weights
            )
        weights, optimizer = self.optimizer.stateless_apply(optimizer, back(gradient)[0], weights)
        average = [AVERAGING * mean + (1 - AVERAGING) * w for mean, w in zip(average, weights)]
        state = [weights, optimizer, average, critic_weights, critic_optimizer]
        return state, self.logged(sharp, blurred, **seen)

    def settle(self):
        for group, values in zip(self.holders, self.state):
            for variable, value in zip(group, values):
                variable.assign(ops.copy(value))  # The next step takes the state's memory over.


def kept_aside(folders: list[Path]) -> dict:
    """What is scored as training goes on: all of GOPRO's frames and every third of REDS 020."""
    paths = [pair for folder in folders for pair in find_pairs(folder, aside=True)]
    groups = {
        "gopro": [pair for pair in paths if "GOPR" in str(pair[0])],
        "reds": [pair for pair in paths if "REDS" in str(pair[0])][::3],
    }
    return {
        name: [tuple(read_photo(path) for path in pair) for pair in group]
        for name, group in groups.items()
    }


def rate(step: int, since: int, phase: Phase) -> float:
    """See `Phase`; `since` steps of this sitting are done."""
    done = step / phase.steps
    lowered = 0.55 + 0.45 * np.cos(np.pi * np.clip(3 * done - 2, 0, 1))
    return phase.rate * lowered * min((since + 1) / RISE, 1)


def build(phase: str, **changes) -> keras.Model:
    """The generator that a phase begins with; behind the U-Net of `gan` only the tail learns."""
    network = NETWORKS[phase] | changes
    generator = detail_generator(**network)
    grow(first_estimate(restoration.load(STARTS[phase])), generator, network["blocks"])
    if STARTS[phase] == "gan":
        unet = keras.Model(generator.input, generator.get_layer("to_half").input)
        for layer in [*unet.layers, generator.get_layer("to_rgb")]:
            layer.trainable = False
    return generator


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--material", type=Path, nargs="+", required=True)
    parser.add_argument("--phase", choices=PHASES, required=True)
    parser.add_argument("--state", type=Path, required=True, help="what to continue, or to begin")
    parser.add_argument("--minutes", type=float, default=60, help="length of this sitting")
    parser.add_argument("--checkpoint", type=float, default=5, help="minutes between two saves")
    args = parser.parse_args()

    about = {"phase": args.phase, "step": 0, "minutes": 0.0, "seed": 17, "table": []}
    phase = PHASES[args.phase]
    generator, critic = build(args.phase), pair_critic()
    if args.state.is_file():
        networks, about = load_state(args.state)
        set_weights(generator.trainable_variables, networks["generator"])
        if "critic" in networks:
            set_weights(critic.weights, networks["critic"])
    if about["step"] >= phase.steps:
        raise SystemExit("The phase is over.")

    began, sitting = time.time(), about["minutes"]
    material = Material(args.material, about["seed"])
    pairs = kept_aside(args.material)
    counts = {kind: len(found) for kind, found in material.sources.items()}
    print(counts, len(material.photos), "photographs", sum(map(len, material.frames)), "frames")
    print({name: len(group) for name, group in pairs.items()}, "kept aside", flush=True)
    trainer = (JaxTrainer if keras.backend.backend() == "jax" else TensorFlowTrainer)(
        generator, critic, phase
    )

    def save(state):
        about["minutes"] = round(sitting + (time.time() - began) / 60, 1)
        trainer.settle()
        networks = {"generator": trainer.average}
        if trainer.plays:
            networks["critic"] = critic.get_weights()
        save_state(state, networks, about)

    sums, saved, since = np.zeros(len(LOGGED)), time.time(), 0
    batches = ahead(material, about["step"], phase)
    while about["step"] < phase.steps and time.time() - began < 60 * args.minutes:
        waited = time.time()
        batch = next(batches)
        waited = time.time() - waited
        now = rate(about["step"], since, phase)
        listening = about["step"] >= CRITIC_ALONE
        place = np.random.default_rng(about["step"]).integers(PLACES, size=2, dtype=np.int32)
        place += (phase.crop - phase.window - PLACES) // 2
        sums += trainer.step(now, listening, place, *batch)
        about["step"] += 1
        since += 1
        if not np.isfinite(sums).all():
            raise SystemExit("A loss is not finite; the state file holds what was before.")
        if about["step"] % 50 == 0:
            means = " ".join(
                f"{name} {value:.4f}" for name, value in zip(LOGGED, sums / 50) if value
            )
            print(
                f"{time.strftime('%H:%M:%S')} {about['step']} {means} waited {waited:.2f} s",
                flush=True,
            )
            sums[:] = 0
        if about["step"] % SCORED_EVERY == 0:
            row = [
                about["step"],
                round(sitting + (time.time() - began) / 60),
                *trainer.scores(pairs),
            ]
            about["table"].append(row)
            print("step, minutes, gain on GOPRO and REDS:", row, flush=True)
            save(args.state.with_stem(f"{args.state.stem}_{about['step']}"))
        if time.time() - saved > 60 * args.checkpoint:
            save(args.state)
            saved = time.time()
    save(args.state)


if __name__ == "__main__":
    main()
