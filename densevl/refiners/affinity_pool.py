"""Affinity pooling of a feature map by its guide."""

from __future__ import annotations

from densevl.core.errors import ShapeError
from densevl.core.structures import FeatureMap
from densevl.ops.affinity import affinity_pool


class AffinityPoolRefiner:
    """Every patch's features become a mean over the patches whose guide looks alike; see `ops.affinity_pool`.

    Args:
        threshold: cosines below it count as 0; None keeps them all.
        power: sharpens the affinity.
    """

    def __init__(self, threshold: float | None = None, power: float = 1.0) -> None:
        self.threshold = threshold
        self.power = power

    def __call__(self, feature_map: FeatureMap) -> FeatureMap:
        """FeatureMap with guide -> the same map with pooled features [B, D, h, w].

        Raises:
            ShapeError: the map has no guide.
        """
        if feature_map.guide is None:
            raise ShapeError("affinity pooling needs a guide [B, G, h, w] beside the features; the extractor gave none")
        pooled = affinity_pool(
            feature_map.features.flatten(2), feature_map.guide.flatten(2), threshold=self.threshold, power=self.power
        )  # [B, D, h * w]
        return feature_map.with_features(pooled.unflatten(2, feature_map.features.shape[2:]))
