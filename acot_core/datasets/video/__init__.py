"""Video to features: decode, optical flow, encode (the extra ``video``: PyAV, OpenCV, a network).

`encode_videos` turns a folder of videos into one .npz that `acot_core.datasets.load` reads; on the command
line it is ``acot encode``.
"""

from acot_core.datasets.video.clip_features import encode_clip
from acot_core.datasets.video.decoding import Video, frames, probe
from acot_core.datasets.video.encoders import (
    ClipEncoder,
    EfficientNetLite0,
    EncoderError,
    OnnxEncoder,
    TorchEncoder,
)
from acot_core.datasets.video.encoding import EncodingReport, encode_videos
from acot_core.datasets.video.listing import Listing, list_videos
from acot_core.datasets.video.named_models import named_encoder
from acot_core.datasets.video.optical_flow import FlowPictures

__all__ = [
    "ClipEncoder",
    "EfficientNetLite0",
    "EncoderError",
    "EncodingReport",
    "FlowPictures",
    "Listing",
    "OnnxEncoder",
    "TorchEncoder",
    "Video",
    "encode_clip",
    "encode_videos",
    "frames",
    "list_videos",
    "named_encoder",
    "probe",
]
