"""Files -> state dicts -> modules, strictly: what does not fit stops the program and is named."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import WeightsError
from densevl.core.files import FIELDS, UNREADABLE
from densevl.weights.locate import file_hash
from densevl.weights.table import find_hash

if TYPE_CHECKING:
    from torch import Tensor, nn

_WRAPPERS = ("state_dict", "model_state_dict", "model", "teacher", "decoder")
_SHOWN = 4


@dataclass(frozen=True)
class KeyReport:
    """How a state dict fitted a module: tensor names."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def __str__(self) -> str:
        """Counts and first names, in one line."""
        whole = len(self.matched) + len(self.missing)
        return (
            f"{len(self.matched)} of {whole} tensors match, "
            f"{len(self.missing)} missing{_first(self.missing)}, {len(self.unexpected)} extra{_first(self.unexpected)}"
        )


def read_state_dict(path: str | Path, *, trust: bool = False) -> dict[str, Tensor]:
    """Read the tensors of a file: safetensors, a torch file of plain tensors, or a TorchScript archive.

    `state_dict`, `model_state_dict`, `model`, `teacher` and `decoder` are unwrapped; a `module.` before every name is
    cut.

    Args:
        path: the file.
        trust: also open a TorchScript archive whose sha256 we do not know (it can run code).

    Returns:
        Names and tensors, on the CPU.

    Raises:
        WeightsError: missing, damaged, not tensors, or not trusted.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights file {path}: give the path of a .safetensors, .pt, .pth or .bin file")
    try:
        content = _read(path, trust)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return _plain(content, path)


def read_field(path: str | Path, name: str) -> Any:
    """What a file says beside its tensors: a field of a torch file, or one of `FIELDS` in safetensors' metadata.

    Returns:
        The field; None where the file has none of that name.

    Raises:
        WeightsError: missing or damaged.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return json.loads(_metadata(path).get(FIELDS, "{}")).get(name)
        content = _read(path, trust=False)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return content.get(name) if isinstance(content, Mapping) else None


def load_strict(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    *,
    name: str,
    allow_missing: Sequence[str] = (),
    allow_unexpected: Sequence[str] = (),
    file_name: Callable[[str], str] | None = None,
) -> KeyReport:
    """Copy a state dict into a module, or stop and leave the module as it was.

    Args:
        module: receives the tensors, cast to its dtype.
        state_dict: names and tensors.
        name: what the message calls the weights.
        allow_missing: patterns (`head.*`) of names the file may lack.
        allow_unexpected: patterns of names the file may have beside.
        file_name: the module's name of a tensor -> its name in the file, where they differ; the report and the
            patterns speak the file's names.

    Returns:
        What matched, and what was missing or extra by permission.

    Raises:
        WeightsError: something is missing, extra, or of another shape; counts and first names.
    """
    own = {file_name(key) if file_name else key: tensor for key, tensor in module.state_dict().items()}
    report = KeyReport(
        matched=tuple(key for key in own if key in state_dict),
        missing=tuple(key for key in own if key not in state_dict),
        unexpected=tuple(key for key in state_dict if key not in own),
    )
    shapes = [
        f"{key} is {list(state_dict[key].shape)} in the file and {list(own[key].shape)} in the model"
        for key in report.matched
        if state_dict[key].shape != own[key].shape
    ]
    if shapes or not (_allowed(report.missing, allow_missing) and _allowed(report.unexpected, allow_unexpected)):
        shape_text = f"; {len(shapes)} of another shape ({'; '.join(shapes[:_SHOWN])})" if shapes else ""
        raise WeightsError(
            f"{name} does not fit the model: {report}{shape_text}. Give the weights of this model, "
            "or the model of these weights"
        )
    places = dict(zip(own, module.state_dict(), strict=True))
    module.load_state_dict({places[key]: state_dict[key] for key in report.matched}, strict=False)
    return report


def _damaged(path: Path, error: Exception) -> WeightsError:
    first_line = str(error).strip().partition("\n")[0]
    return WeightsError(
        f"{path} cannot be read as tensors ({type(error).__name__}: {first_line}): it is damaged, or holds other "
        "objects; get it again, or save its state_dict() alone"
    )


def _read(path: Path, trust: bool) -> Any:
    import torch

    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if not _is_torchscript(path):
        with _config_nodes_as_dicts():
            return torch.load(path, map_location="cpu", weights_only=True)
    if not trust and find_hash(file_hash(path)) is None:
        raise WeightsError(
            f"{path} is a TorchScript archive, which can run code, and its sha256 {file_hash(path)} is none we know: "
            "give --trust (trust=True) if you know where it comes from"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.load.*", category=FutureWarning)
        return torch.jit.load(str(path), map_location="cpu").state_dict()


def _config_nodes_as_dicts() -> AbstractContextManager[None]:
    """Checkpoints may hold a yacs config beside the tensors: it is read as a plain dict, none of its code is run."""
    import torch

    if torch.__version__ < (2, 6):  # where a name cannot be given: such files are refused, with torch's reason
        return nullcontext()
    return torch.serialization.safe_globals([(OrderedDict, "yacs.config.CfgNode")])


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as opened:
            return opened.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.endswith("/constants.pkl") for member in archive.namelist())


def _plain(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds {type(content).__name__}, not names and tensors; save a state_dict()")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise WeightsError(f"{path}: '{key}' is a {type(value).__name__}, not a tensor; save a state_dict() alone")
    if all(key.startswith("module.") for key in content):
        return {key.removeprefix("module."): value for key, value in content.items()}
    return dict(content)


def _allowed(keys: Sequence[str], patterns: Sequence[str]) -> bool:
    return all(any(fnmatchcase(key, pattern) for pattern in patterns) for key in keys)


def _first(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    return f" ({', '.join(keys[:_SHOWN])}{', ...' if len(keys) > _SHOWN else ''})"
