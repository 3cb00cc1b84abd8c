"""One training iteration of the WGAN as a CUDA graph: some two hundred launches become one.

The networks are small, so that a GPU waits for Python between launches. A graph records the iteration of
`WGAN.iterate` once, on buffers that stay where they are; a replay needs new numbers in these buffers only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import fields

import torch

from acot_core.wgan import WGAN, Batch

__all__ = ["GraphedIteration", "fastest_iteration"]

Function = Callable[[], None]


def record_graph(function: Function) -> Function:
    """Record ``function`` as a CUDA graph and return its replay. It runs three times first."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay


class GraphedIteration:
    """`WGAN.iterate` for batches of one shape, recorded once.

    Parameters
    ----------
    wgan : WGAN
        Its tensors are changed in place by every call; recording leaves them as they are.
    batch : Batch
        A batch of the shape that is to come.
    record : callable
        Turns a function into its replay.
    """

    def __init__(
        self, wgan: WGAN, batch: Batch, record: Callable[[Function], Function] = record_graph
    ) -> None:
        self._buffers = Batch(*(getattr(batch, f.name).clone() for f in fields(batch)))
        saved = {name: tensor.clone() for name, tensor in wgan.state().items()}
        try:
            self._replay = record(lambda: wgan.iterate(self._buffers))
        finally:
            wgan.load_state(saved)

    def __call__(self, batch: Batch) -> None:
        """One iteration on ``batch``."""
        for f in fields(batch):
            getattr(self._buffers, f.name).copy_(getattr(batch, f.name))
        self._replay()


def fastest_iteration(wgan: WGAN, batch: Batch) -> Callable[[Batch], None]:
    """`WGAN.iterate`, as a graph on a GPU. Where recording fails, a warning says so."""
    if batch.frames.is_cuda:
        try:
            return GraphedIteration(wgan, batch)
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, training goes on without ({error})", RuntimeWarning, stacklevel=2)
    return wgan.iterate
