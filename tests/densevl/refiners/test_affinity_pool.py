from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.core.structures import FeatureMap
from densevl.refiners import AffinityPoolRefiner


def test_patches_that_look_alike_share_their_features_and_others_do_not() -> None:
    guide = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])[None, None]  # [1, 1, 2, 2]: upper row against lower row
    features = torch.tensor([[0.0, 2.0], [10.0, 20.0]])[None, None]
    refined = AffinityPoolRefiner(threshold=0.0, power=4)(FeatureMap(features, guide))
    torch.testing.assert_close(refined.features[0, 0], torch.tensor([[1.0, 1.0], [15.0, 15.0]]))
    assert refined.guide is guide


def test_without_a_guide_it_says_what_is_missing() -> None:
    with pytest.raises(ShapeError, match="guide"):
        AffinityPoolRefiner()(FeatureMap(torch.zeros(1, 2, 3, 3)))
