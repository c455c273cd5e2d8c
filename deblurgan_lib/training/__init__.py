"""From pairs to a trained generator: what a run computes, how, and where it is kept.

Profiles and recipes are plain tables; only what trains loads TensorFlow, when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["devices", "loop", "losses", "profiles", "recipes"],
    submod_attrs={
        "build": ["build_critic", "build_gan", "build_generator"],
        "gan": ["DeblurGAN"],
        "loop": ["pretraining_epochs", "train"],
        "optimizers": ["Muon", "build_optimizer"],
        "profiles": ["PROFILES", "Profile"],
        "recipes": ["RECIPES", "Recipe"],
        "run": ["Run"],
    },
)
