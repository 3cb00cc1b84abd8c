"""How much is worked on at a time: what a CPU's cache holds; on a GPU much, which small pieces leave idle."""

from __future__ import annotations

import torch

__all__ = ["batch_bytes", "block_bytes"]


def block_bytes(device: torch.device) -> int:
    """Bytes of the operands that one product should run over."""
    return 2**20 if device.type == "cpu" else 2**30


def batch_bytes(device: torch.device) -> int:
    """Bytes that a batch of sequences may take, all temporaries counted."""
    return 2**27 if device.type == "cpu" else 2**32
