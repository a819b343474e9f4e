"""The embedded model, loaded once for all tests: its weights come with the test extra."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from densevl.backbones import LiteModel, load_lite


@lru_cache(maxsize=1)
def lite() -> LiteModel:
    """The model."""
    return load_lite()


def picture(name: str) -> np.ndarray:
    """uint8 RGB [H, W, 3]: a picture of scikit-learn (china.jpg, flower.jpg) or of scikit-image (by its name)."""
    if name.endswith(".jpg"):
        from sklearn.datasets import load_sample_image

        return np.asarray(load_sample_image(name))
    import skimage.data

    return np.asarray(getattr(skimage.data, name)())
