"""Words -> vectors: every name in every template, averaged, and kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import UsageError
from densevl.core.files import sha256_bytes
from densevl.core.stages import TextEncoder
from densevl.core.structures import TextBank
from densevl.text.cache import VectorCache
from densevl.vocab import ClassList, load_templates, parse_classes
from densevl.weights import cache_folder

_PROMPTS_AT_ONCE = 2048


def encode_classes(
    classes: Sequence[str] | ClassList,
    encoder: TextEncoder,
    templates: str | Path | Sequence[str] | None = None,
    *,
    cache: bool | Path | None = None,
) -> TextBank:
    """Vectors of a class list; a class has one row per synonym.

    A name's prompts are brought to unit length, averaged, and the mean to unit length again.

    Args:
        classes: a ClassList, a sequence of names taken as they are, or a text or file in the grammar of class lists.
        encoder: the text tower.
        templates: a set's name, a file, or strings with one `{}` each; None: what the tower was measured with.
        cache: False: off. A folder; or None: ours, and off where $DENSEVL_NO_CACHE is set.

    Returns:
        A TextBank [Q, D] on the encoder's device, its vectors where the image features live.

    Raises:
        UsageError: no classes, or a template without its one `{}`.
    """
    words = _class_list(classes)
    prompts = _templates(encoder.templates if templates is None else templates)
    store = VectorCache(_folder(cache), (encoder.weights_id, sha256_bytes(json.dumps(prompts).encode())))
    vectors = _name_vectors(tuple(dict.fromkeys(words.queries)), encoder, templates=prompts, store=store)
    device = _device(encoder)
    with torch.no_grad():
        rows = torch.stack([vectors[query] for query in words.queries]).to(device)  # [Q, Dt]
        rows = encoder.match_space(rows)  # [Q, D]
    return TextBank(rows, torch.tensor(words.class_index, device=rows.device), words.names)


def _class_list(classes: Sequence[str] | ClassList) -> ClassList:
    if isinstance(classes, (ClassList, str, Path)):
        return parse_classes(classes)
    if not classes:
        raise UsageError("no classes: give at least one name")
    return ClassList(tuple(classes), tuple((name,) for name in classes))


def _templates(templates: str | Path | Sequence[str]) -> tuple[str, ...]:
    if isinstance(templates, (str, Path)):
        return load_templates(templates)
    faulty = [template for template in templates if template.count("{}") != 1]
    if faulty or not templates:
        raise UsageError(f"a template has one {{}} where the name goes, got {faulty or 'no template'}")
    return tuple(templates)


def _folder(cache: bool | Path | None) -> Path | None:
    if isinstance(cache, Path):
        return cache
    return None if cache is False or os.environ.get("DENSEVL_NO_CACHE") else cache_folder() / "text"


def _device(encoder: TextEncoder) -> torch.device:
    if isinstance(encoder, nn.Module):
        return next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))
    return torch.device("cpu")


@torch.no_grad()
def _name_vectors(
    names: Sequence[str], encoder: TextEncoder, *, templates: Sequence[str], store: VectorCache
) -> dict[str, Tensor]:
    """Unit vector [Dt] of each name, float32 on the CPU; written down as soon as a batch is done."""
    vectors = {name: torch.from_numpy(vector) for name in names if (vector := store.read(name)) is not None}
    todo = [name for name in names if name not in vectors]
    step = max(1, _PROMPTS_AT_ONCE // len(templates))
    for start in range(0, len(todo), step):
        batch = todo[start : start + step]
        prompts = [template.replace("{}", name) for name in batch for template in templates]
        encoded = F.normalize(encoder.encode_text(prompts).float(), dim=-1)  # [n*P, Dt]
        means = F.normalize(encoded.unflatten(0, (len(batch), len(templates))).mean(dim=1), dim=-1).cpu()  # [n, Dt]
        for name, vector in zip(batch, means, strict=True):
            vectors[name] = vector
            store.write(name, vector.numpy())
    return vectors
