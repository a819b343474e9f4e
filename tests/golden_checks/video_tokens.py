"""Token ids of CLIP's tokenizer."""

from __future__ import annotations

import json

import numpy as np

from tests.golden_checks import checks
from tests.golden_reader import GoldenFile
from tests.tiny import tiny_clip


@checks("video/tokens")
def check_tokens(file: GoldenFile) -> None:
    found = tiny_clip().tokenize(json.loads(str(file["texts"])))
    np.testing.assert_array_equal(found.numpy(), file["ids"])
