"""Where a run happens: device, precision, seed, free memory, versions. Torch is imported inside the functions."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from densevl.core.errors import UsageError

if TYPE_CHECKING:
    import torch

# What can change a number of a run; the doctor lists them too.
PACKAGES = (
    *("torch", "torchvision", "numpy", "timm", "open_clip_torch", "segment-anything", "einops", "numba"),
    *("mmengine", "mmcv-lite", "mmsegmentation", "pillow", "opencv-python", "av", "decord", "safetensors"),
    *("huggingface_hub", "pycocotools", "tqdm", "transformers", "scikit-image", "scikit-learn"),
)
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
BATCH_ON_GPU = 8  # windows or views; on a CPU a batch gains nothing and costs memory
_GUESSED_MEMORY = 4 << 30
_MEMORY_WORDS = (
    *("out of memory", "allocate memory", "not enough memory", "insufficient memory", "alloc_failed"),
    "start new thread",
)


def pick_device(text: str = "auto") -> torch.device:
    """The device of `--device`.

    Args:
        text: "auto" (cuda, else mps, else cpu), "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        UsageError: no such kind of device, or it is not there; says what torch is installed.
    """
    import torch

    if text == "auto":
        found = [kind for kind in ("cuda", "mps") if _is_there(kind)]
        return torch.device(found[0] if found else "cpu")
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in text and not (kind == "cuda" and number.isdigit())):
        raise UsageError(f"--device {text}: expected auto, cpu, mps, cuda or cuda:N")
    if not _is_there(kind):
        raise UsageError(f"--device {text} asked, but {_absence(kind)}; or use --device cpu")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number and int(number) >= count:
        raise UsageError(f"--device {text} asked, but there are only cuda:0 to cuda:{count - 1}: choose one of them")
    return torch.device(text)


def pick_batch_size(asked: int | None, device: torch.device) -> int:
    """Windows or views in one forward pass: as many as asked for, else what the device is good for."""
    return asked or (1 if device.type == "cpu" else BATCH_ON_GPU)


def _is_there(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


def _absence(kind: str) -> str:
    import torch

    if kind == "mps":
        return f"torch {torch.__version__} finds no Apple GPU here: mps needs an Apple machine with macOS 12.3 or later"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is installed, a build without CUDA: install a CUDA build of torch"
    return (
        f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no CUDA device: check the driver with nvidia-smi "
        "and CUDA_VISIBLE_DEVICES"
    )


def pick_precision(text: str, device: torch.device) -> torch.dtype:
    """The number type of `--precision`.

    "auto" is float32 on every device: labels, golden numbers and resumed runs then agree across machines as closely
    as the hardware allows; half precision changes labels near borders and is only used when asked for.

    Raises:
        UsageError: unknown, or the device cannot compute in it.
    """
    import torch

    if text not in PRECISIONS:
        raise UsageError(f"--precision {text}: expected {', '.join(PRECISIONS)}")
    if text == "fp16" and device.type == "cpu":
        raise UsageError(
            "--precision fp16 is not for the cpu, which computes it slowly or not at all: use bf16 or fp32"
        )
    if text == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UsageError(f"--precision bf16: {torch.cuda.get_device_name(device)} has no bf16; use --precision fp16")
    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(text, torch.float32)


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """The context a forward pass runs in: mixed precision for half types, nothing for float32."""
    import torch

    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory(device: torch.device) -> int:
    """Bytes that can still be allocated: what the device says is free, for the CPU within the container's limit."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return min([_free_memory(), *_cgroup_headrooms()])


def _free_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """MemAvailable; half of the machine where the system does not tell; 4 GiB where it tells nothing (Windows)."""
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024  # kB
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return _GUESSED_MEMORY


def _cgroup_headrooms(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What each limit above this process leaves, for control groups v2 (one tree) and v1 (a tree for memory)."""
    rooms = []
    for line in own.read_text().splitlines() if own.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = root, ("memory.max", "memory.current")
        elif controllers == "memory":
            top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = top / path.lstrip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(top):
                rooms += _headroom(place, *names)
    return rooms


def _headroom(folder: Path, limit_name: str, usage_name: str) -> list[int]:
    """[limit - usage, page cache given back]; [] where there is no limit."""
    try:
        limit = (folder / limit_name).read_text().strip()
        usage = int((folder / usage_name).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return []
    if limit == "max":
        return []
    cache = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return [max(0, int(limit) - usage + cache)]


def peak_memory(device: torch.device) -> int:
    """Most bytes used so far: allocated on a GPU, else resident in this process (0 where unknown)."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows does not count
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kB on Linux


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, NumPy, OpenCV or Python says that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    library = isinstance(error, RuntimeError) or type(error).__module__.startswith("cv2")
    return library and any(word in str(error).lower() for word in _MEMORY_WORDS)


def versions() -> dict[str, str]:
    """Versions of Python, densevl and the installed packages that can change a number; nothing is imported."""
    found = {"python": platform.python_version()}
    for name in ("densevl", *PACKAGES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
