"""From light to training batches: blur, the embedded photographs, GOPRO, A/B pairs, `tf.data`.

Only the pipeline loads TensorFlow, when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["blur", "cache", "download", "gopro", "pipeline", "sample"],
    submod_attrs={
        "datasets": ["find_data"],
        "pairs": ["Pair", "find_pairs", "spread"],
        "pipeline": ["training_batches"],
    },
)
