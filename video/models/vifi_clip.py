"""ViFi-CLIP: CLIP on every frame, the mean over time, the cosine with the words; fine-tuned, or with learned tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from densevl.backbones import CLIPBackbone
from densevl.core.errors import ShapeError, UnknownNameError, UsageError, WeightsError
from densevl.core.structures import TextBank
from densevl.heads import CosineHead
from densevl.ops.tokens import causal_mask
from video.models.prompts import PromptSizes, copy_tokens, make_stacks, prompt_template
from video.models.vifi_keys import (
    PREFIX,
    SUFFIX,
    TOKEN_TABLE,
    WORDS,
    check_token_table,
    clip_file_name,
    depth_of,
    prompt_file_name,
    read_config,
    read_sizes,
    split_state,
)
from video.transforms import mean_and_deviation

logger = logging.getLogger(__name__)

TEMPLATE = "a photo of a {}."
# what trains, by the published names it begins with; learned tokens are told by their own names
PARTS = {"both": ("",), "image": ("image_encoder.",), "text": ("text_encoder.",), "prompts": ()}
_COSINE = CosineHead(logit_scale=1.0, softmax=False)


class ViFiCLIP(nn.Module):
    """Clips [B, T, 3, H, W] x class names -> logits [B, K].

    Args:
        clip_model: both towers; its tensors are trained in place.
        class_names: K names, as they stand in the template; none: they come with every call of `text_bank`.
        prompts: learned tokens (the "bridge and prompt" stage); None: a fine-tuned CLIP without.
        template: with one `{}`; `{}` alone is the published zero-shot test of plain CLIP. With learned tokens, its
            first words are replaced, and "_" in names is read as a blank.
        trained: `both` (everything with the logit scale), `image`, `text` (the towers) or `prompts`; None: `prompts`
            where there are some, else `both`. The token table is never trained.
        round_prompts: round learned tokens, the first ones of the text aside, to half precision, as the published
            code does in every precision; False: use them as they are. Logits differ by about 1e-4.
        normalization: of pixels in [0, 1]: `imagenet` (published) or `clip`; None: the video comes normalised.

    Raises:
        UsageError: a template without its one `{}`, more learned tokens than the context, or `prompts` are to be
            trained where there are none.
        UnknownNameError: no such part or normalisation.

    Source: Rasheed et al., "Fine-tuned CLIP Models are Efficient Video Learners", CVPR 2023, and its code.
    """

    averages_frames = True  # see video.classifier.Recogniser

    token_ids: Tensor

    def __init__(
        self,
        clip_model: CLIPBackbone,
        class_names: Sequence[str] = (),
        *,
        prompts: PromptSizes | None = None,
        template: str = TEMPLATE,
        trained: str | None = None,
        round_prompts: bool = True,
        normalization: str | None = "imagenet",
    ) -> None:
        super().__init__()
        mean, std = mean_and_deviation(normalization)
        self.clip_model = CLIPBackbone(clip_model.clip_model, weights_id=clip_model.weights_id, mean=mean, std=std)
        self.round_prompts, self.class_names = round_prompts, tuple(class_names)
        self.text_prompts, self.vision_prompts = make_stacks(self.clip_model, prompts)
        self.template = prompt_template(template, self.text_prompts.length)
        self.register_buffer("token_ids", self._tokenize(self.class_names), persistent=False)  # [K, L]
        self.to(self.clip_model.clip_model.logit_scale.device)
        if self.template == template:
            self._start_as_words()
        self.set_trained(trained or ("both" if prompts is None else "prompts"))

    @classmethod
    def from_state_dict(
        cls,
        state_dict: Mapping[str, Tensor],
        class_names: Sequence[str] = (),
        *,
        token_table: Tensor | None = None,
        num_heads: tuple[int, int] | None = None,
        prompts: PromptSizes | None = None,
        **options: Any,
    ) -> ViFiCLIP:
        """Build from a published checkpoint's tensors; sizes are read from their shapes, and every one must fit.

        Args:
            state_dict: names as published, `module.` before them or not. The embedded class names of the training
                set, where it holds them, are dropped.
            class_names: any list, or none: the published models are tested on others than they were trained on.
            token_table: [vocabulary, Dt], `token_embedding.weight` of the CLIP that was fine-tuned, which the
                published files do not hold; None: it stands in `state_dict`.
            num_heads: of the image and of the text tower; None: one per 64 channels.
            prompts: learned tokens to begin with, where the checkpoint has none; None: as in the checkpoint.
            **options: see the class.

        Raises:
            WeightsError: no ViFi-CLIP, tensors missing, unknown or of another shape, or the token table of another
                CLIP.
        """
        towers, learned, words = split_state(state_dict)
        if token_table is not None:
            towers[TOKEN_TABLE] = token_table
        sizes = read_sizes(learned)
        if None not in (sizes, prompts) and sizes != prompts:
            raise WeightsError(
                f"the checkpoint has {sizes}, you asked for {prompts}: leave prompts out to take its own"
            )
        config = read_config(towers, num_heads)
        clip_model = CLIPBackbone.from_config(config, towers, file_name=clip_file_name)
        start_id = clip_model.tokenize([""])[0, 0]
        check_token_table(words, clip_model.clip_model.token_embedding.weight[start_id])
        model = cls(clip_model, class_names, prompts=sizes or prompts, **options)
        if learned:
            copy_tokens(model._learned_tokens(), learned)
        known = len(next(iter(words.values()), ()))
        logger.info(
            "ViFi-CLIP: %d tensors match; the names of its %d classes are dropped", len(towers) + len(learned), known
        )
        return model

    @property
    def trains_text(self) -> bool:
        """Whether the vectors of class names change in training; else one `text_bank` serves every step."""
        names = (name for name, tensor in self.published_parameters().items() if tensor.requires_grad)
        return any(name.startswith(("text_encoder.", "prompt_learner.")) for name in names)

    def published_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter by its published name; the token table, never trained and never published, is left out."""
        clip_parameters = self.clip_model.clip_model.named_parameters()
        found = {clip_file_name(name): tensor for name, tensor in clip_parameters if name != TOKEN_TABLE}
        return found | self._learned_tokens()

    def set_trained(self, parts: str) -> None:
        """Let exactly these parameters be trained: `both`, `image`, `text` or `prompts`; see the class."""
        if parts not in PARTS:
            raise UnknownNameError("part to train", parts, PARTS)
        learned = self._learned_tokens()
        if parts == "prompts" and not learned:
            raise UsageError("trained='prompts' needs learned tokens: give prompts=PromptSizes(...), or train 'both'")
        for name, tensor in self.published_parameters().items():
            tensor.requires_grad_(name in learned if parts == "prompts" else name.startswith(PARTS[parts]))

    def name_classes(self, class_names: Sequence[str]) -> None:
        """Take other class names, those of a training set say."""
        self.class_names, ids = tuple(class_names), self._tokenize(class_names)
        self.token_ids = ids.to(self.token_ids.device)

    def trained_module(self) -> nn.Module:
        """The whole model: what a checkpoint of a run keeps."""
        return self

    def layers(self) -> list[list[nn.Parameter]]:
        """What is trained, from what stands before the blocks to what stands behind them; both towers side by side."""
        deepest = max(len(self.clip_model.blocks), len(self.clip_model.text_blocks))
        found: list[list[nn.Parameter]] = [[] for _ in range(deepest + 2)]
        for name, tensor in self.published_parameters().items():
            if tensor.requires_grad:
                depth = depth_of(name)
                found[-1 if depth is None else depth].append(tensor)
        return found

    def to_state_dict(self) -> dict[str, Tensor]:
        """The tensors of a published checkpoint, on the CPU: parameters and the embedded class names."""
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in self.published_parameters().items()}
        if not self.class_names:
            return tensors
        context = self.clip_model.clip_model.context_length
        whole = F.pad(self.token_ids, (0, context - self.token_ids.shape[1]))  # [K, context]
        words = self.clip_model.clip_model.token_embedding(whole).detach().cpu()  # [K, context, Dt]
        if not self.text_prompts.depth:
            return tensors | {WORDS: words}
        after = 1 + self.text_prompts.length
        return tensors | {PREFIX: words[:, :1].clone(), SUFFIX: words[:, after:].clone()}

    def to_checkpoint(self, epoch: int) -> dict[str, Any]:
        """The content of a published file: `model`, with `module.` before every name, and `epoch`."""
        return {"model": {f"module.{name}": tensor for name, tensor in self.to_state_dict().items()}, "epoch": epoch}

    def forward(self, video: Tensor, bank: TextBank | None = None) -> Tensor:
        """Score clips.

        Args:
            video: [B, T, 3, H, W] float RGB in [0, 1].
            bank: of `text_bank`, kept from before; None: the class names are encoded anew.

        Returns:
            [B, K] logits.

        Raises:
            ShapeError: not such a tensor.
        """
        return self.logits(self.video_features(video), self.text_bank() if bank is None else bank)

    def frame_features(self, video: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W] in [0, 1] -> [B, T, E], not normalised.

        Raises:
            ShapeError: not such a tensor.
        """
        if video.ndim != 5 or not video.shape[1]:
            raise ShapeError(f"expected clips [B, T, 3, H, W] in [0, 1], got {video.dtype} {tuple(video.shape)}")
        tokens = self._append_prompts(self.clip_model.embed(rearrange(video, "b t c h w -> (b t) c h w")))
        patches = tokens.shape[1] - self.vision_prompts.length  # with the class token
        for index, block in enumerate(self.clip_model.blocks):
            if index:
                tokens = self.vision_prompts.replace(tokens, index, start=patches, rounded=self.round_prompts)
            tokens = block(tokens)  # [B*T, N, D]
        features = self.clip_model.finish(tokens[:, 0])  # [B*T, E]
        return rearrange(features, "(b t) e -> b t e", b=len(video))

    def video_features(self, video: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W] in [0, 1] -> [B, E]: the mean over frames, before anything is normalised."""
        return self.frame_features(video).mean(dim=1)

    def text_features(self, class_names: Sequence[str] | None = None) -> Tensor:
        """Class names, ours or others -> [K, E], not normalised.

        Raises:
            UsageError: there are none.
        """
        ids = self.token_ids if class_names is None else self._tokenize(class_names).to(self.token_ids.device)
        if not len(ids):
            raise UsageError("no class names: give them here, or when the model is made")
        words = self.clip_model.clip_model.token_embedding(ids)  # [K, L, Dt]
        tokens = self.clip_model.place_words(self.text_prompts.replace(words, 0, start=1, rounded=False))
        attn_mask = causal_mask(tokens)
        for index, block in enumerate(self.clip_model.text_blocks):
            if index:
                tokens = self.text_prompts.replace(tokens, index, start=1, rounded=self.round_prompts)
            tokens = block(tokens, attn_mask=attn_mask)  # [K, L, Dt]
        return self.clip_model.finish_text(tokens, ids.argmax(dim=1))  # the end token has the highest id

    def text_bank(self, class_names: Sequence[str] | None = None) -> TextBank:
        """Class names, ours or others -> unit vectors [K, E], ready for `logits`."""
        vectors = F.normalize(self.text_features(class_names), dim=-1)
        index = torch.arange(len(vectors), device=vectors.device)
        return TextBank(vectors, index, self.class_names if class_names is None else tuple(class_names))

    def logits(self, video_features: Tensor, bank: TextBank) -> Tensor:
        """Features of clips [B, E] x TextBank [K, E] -> [B, K], cosines times the trained scale."""
        return self.clip_model.clip_model.logit_scale.exp() * _COSINE(video_features, bank)

    def _append_prompts(self, tokens: Tensor) -> Tensor:
        """Learned tokens behind the patches; each token is normalised for itself, so they may come after `embed`."""
        if not self.vision_prompts.depth:
            return tokens
        learned = self.vision_prompts.read(0, len(tokens), rounded=self.round_prompts)
        learned = self.clip_model.clip_model.visual.ln_pre(learned)
        return torch.cat([tokens, learned.to(tokens.dtype)], dim=1)  # [B*T, N + n, D]

    def _tokenize(self, class_names: Sequence[str]) -> Tensor:
        """Token ids [K, L], cut behind the last end token: the text tower is causal."""
        if self.template.count("{}") != 1:
            raise UsageError(f"a template has one {{}} where the name goes, got '{self.template}'")
        if not class_names:
            return torch.empty(0, 0, dtype=torch.long)
        learned = self.text_prompts.length
        names = [name.replace("_", " ") if learned else name for name in class_names]
        ids = self.clip_model.tokenize([self.template.replace("{}", name) for name in names])  # [K, context]
        ends = ids.argmax(dim=1)
        if int(ends.min()) <= learned:
            raise UsageError(f"{learned} learned tokens leave no room for a class name in {ids.shape[1]} tokens")
        return ids[:, : int(ends.max()) + 1].clone()

    @torch.no_grad()
    def _start_as_words(self) -> None:
        """The first learned tokens of the text begin as the words whose places they take."""
        table = self.clip_model.clip_model.token_embedding
        ids = self.clip_model.tokenize([self.template])[0, 1 : 1 + self.text_prompts.length].to(table.weight.device)
        for tokens in self.text_prompts.sets[:1]:
            tokens.copy_(table(ids))

    def _learned_tokens(self) -> dict[str, nn.Parameter]:
        stacks = {"text": self.text_prompts, "vision": self.vision_prompts}
        return {
            prompt_file_name(tower, index): tokens
            for tower, stack in stacks.items()
            for index, tokens in enumerate(stack.sets)
        }
