"""The GAN as one Keras model, with one `train_step` that lesson 05 opens up."""

import keras
import numpy as np
import tensorflow as tf

from ..backend import need_tensorflow
from ..photos import to_uint8
from . import losses

need_tensorflow()

LOGGED = ("loss", "pixel", "perceptual", "adversarial", "critic", "penalty")


class DeblurGAN(keras.Model):
    """A generator that restores and a critic that compares, trained together.

    Steps may run on several devices at once, each with its part of a batch (`tf.distribute`); they
    compute what one device computes for the whole batch, but for dropout's masks and for batch
    normalisation, which takes the statistics of each device's own part.

    Args:
        generator: blurred (B, H, W, 3) in [-1, 1] to restored, the same shape and range.
        critic: picture (B, H, W, 3) in [-1, 1] to a score or a map of scores.
        perceptual: a `losses.PerceptualLoss`, or None if its weight is always 0.
        seed: of the points at which the gradient penalty is taken.
    """

    def __init__(self, generator, critic, perceptual=None, seed=0):
        super().__init__(name="deblurgan")
        self.generator = generator
        self.critic = critic
        self.perceptual = perceptual
        self.seed = seed
        # The sum of what `train_step` returned since the epoch began. It is a weight, so that a
        # checkpoint from the middle of an epoch holds it.
        self.sums = self.add_weight((len(LOGGED),), "zeros", trainable=False, name="sums")
        self.built = True  # Both networks are; there is nothing else to build.

    def compile(
        self,
        optimizer,
        critic_optimizer,
        pixel=1.0,
        perceptual=0.0,
        adversarial=0.0,
        critic_steps=1,
        gradient_penalty=10.0,
        fakes_from_inference=False,
    ):
        """Set the loss terms of the next steps; weights and optimiser states stay.

        Args:
            optimizer, critic_optimizer: of the generator and of the critic.
            pixel, perceptual, adversarial: weights of the generator's terms. A term of weight 0
                is not computed; with `adversarial=0` the critic is not trained.
            critic_steps: critic updates before each generator update, on the same batch.
            gradient_penalty: its weight in the critic's loss, 0 for none.
            fakes_from_inference: see `recipes.Recipe`.
        """
        super().compile(optimizer=optimizer, jit_compile=False)
        self.critic_optimizer = critic_optimizer
        for each, network in ((optimizer, self.generator), (critic_optimizer, self.critic)):
            if not each.built:
                each.build(network.trainable_variables)
        self.term_weights = {
            "pixel": pixel,
            "perceptual": perceptual,
            "adversarial": adversarial,
        }
        self.critic_steps = critic_steps
        self.gradient_penalty = gradient_penalty
        self.fakes_from_inference = fakes_from_inference

    def call(self, blurred, training=False):
        return self.generator(blurred, training=training)

    def update(self, optimizer, gradients, weights):
        """Apply the mean of all devices' gradients.

        Keras' optimisers add up what devices hand in. One with a loss scale looks for infinities
        before that, each device in its own part; so if one has any, all hand in NaN.
        """
        devices = tf.distribute.get_replica_context()
        parts = devices.num_replicas_in_sync
        if parts > 1 and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            finite = [tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients]
            broken = 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)
            broken = devices.all_reduce(tf.distribute.ReduceOp.SUM, broken)
            gradients = [tf.where(broken > 0, np.nan, gradient) for gradient in gradients]
        optimizer.apply([gradient / parts for gradient in gradients], weights)

    def interpolation(self, count):
        """Interpolation factors for the gradient penalty: (count, 1, 1, 1), uniform in [0, 1].

        Drawn from the step number, so that a resumed run draws as an unbroken one does; and for
        the whole batch, of which each device has its part.
        """
        devices = tf.distribute.get_replica_context()
        key = tf.stack([self.seed, tf.cast(self.critic_optimizer.iterations, tf.int32)])
        shape = (devices.num_replicas_in_sync, count, 1, 1, 1)
        return tf.random.stateless_uniform(shape, key)[devices.replica_id_in_sync_group]

    def scores(self, sharp, fake):
        """The critic's scores of both, from one pass, unless it has a norm that would mix them."""
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in self.critic.layers):
            return self.critic(sharp, training=True), self.critic(fake, training=True)
        return tf.split(self.critic(tf.concat([sharp, fake], 0), training=True), 2)

    def train_critic(self, sharp, fake):
        """One update of the critic, and of nothing else.

        Returns:
            Its Wasserstein loss D(fake) - D(real), and the gradient penalty (0.0 if it is off).
        """
        with tf.GradientTape() as tape:
            real_score, fake_score = self.scores(sharp, fake)
            wasserstein = loss = losses.critic_loss(real_score, fake_score)
            penalty = tf.constant(0.0)
            if self.gradient_penalty:
                alpha = self.interpolation(tf.shape(sharp)[0])
                penalty = losses.gradient_penalty(self.critic, sharp, fake, alpha)
                loss += self.gradient_penalty * penalty
            loss = self.critic_optimizer.scale_loss(loss)
        weights = self.critic.trainable_variables
        self.update(self.critic_optimizer, tape.gradient(loss, weights), weights)
        return wasserstein, penalty

    def generator_terms(self, sharp, restored):
        """The generator's loss terms, those with a weight, not yet weighted."""
        terms = {}
        if self.term_weights["pixel"]:
            terms["pixel"] = losses.pixel_loss(sharp, restored)
        if self.term_weights["perceptual"]:
            terms["perceptual"] = self.perceptual(sharp, restored)
        if self.term_weights["adversarial"]:
            # In inference mode, so that this step leaves the critic's statistics alone too.
            score = self.critic(restored, training=False)
            terms["adversarial"] = losses.adversarial_loss(score)
        return terms

    def train_step(self, data):
        """Critic updates, then one generator update, on one batch.

        Args:
            data: (blurred, sharp), both float32 (B, H, W, 3) in [-1, 1].

        Returns:
            The values of `LOGGED`, 0.0 for what was not computed.
        """
        blurred, sharp, _ = keras.utils.unpack_x_y_sample_weight(data)
        seen = dict.fromkeys(LOGGED, tf.constant(0.0))
        with tf.GradientTape() as tape:
            restored = self.generator(blurred, training=True)
            if self.term_weights["adversarial"]:
                # The critic judges the very pictures the generator is graded on, computed once.
                with tape.stop_recording():
                    fake = tf.stop_gradient(restored)
                    if self.fakes_from_inference:
                        fake = self.generator(blurred, training=False)
                    for _ in range(self.critic_steps):
                        seen["critic"], seen["penalty"] = self.train_critic(sharp, fake)
            terms = self.generator_terms(sharp, restored)
            loss = sum(self.term_weights[name] * value for name, value in terms.items())
            scaled = self.optimizer.scale_loss(loss)
        weights = self.generator.trainable_variables
        self.update(self.optimizer, tape.gradient(scaled, weights), weights)
        return seen | terms | {"loss": loss}

    def test_step(self, data):
        """PSNR in dB of the restored photographs, after rounding to 8 bits."""
        blurred, sharp, _ = keras.utils.unpack_x_y_sample_weight(data)
        restored = to_uint8(self.generator(blurred, training=False))
        return {"psnr": tf.reduce_mean(tf.image.psnr(to_uint8(sharp), restored, 255))}
