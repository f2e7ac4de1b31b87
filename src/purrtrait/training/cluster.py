"""Several processes that train one model: torch.distributed, started by torchrun.

Gradients are averaged by hand, in one flat bucket a turn: wrappers that hook into backward miss
double backward. One process without torchrun is a cluster of one, not a special case.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from purrtrait.types import Share


@contextmanager
def joined(device: torch.device) -> Iterator[Share]:
    """Join the processes that torchrun started, if it did; the share says which one this is."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks == 1:
        yield Share()
        return
    if device.type == "cuda":
        if str(device) != "cuda":
            raise ValueError(
                f"{ranks} processes cannot share the one device {device}; say --device cuda, and "
                "each takes its own"
            )
        torch.cuda.set_device(local_device(device))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Share(dist.get_rank(), ranks)
    finally:
        dist.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """The device of this process: with several on one machine each takes its own GPU."""
    if str(device) != "cuda":
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, in place, in one message."""
    if not dist.is_initialized() or not tensors:
        return
    bucket = torch.cat([tensor.detach().float().flatten() for tensor in tensors]).to(_meeting())
    dist.all_reduce(bucket)
    bucket /= dist.get_world_size()
    for tensor, mean in zip(tensors, bucket.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _meeting() -> torch.device:
    """Where messages are exchanged: on the GPU for NCCL, else in main memory."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


def anyone(flag: bool) -> bool:
    """Whether the flag is raised in any process: all of them learn the same."""
    if not dist.is_initialized():
        return flag
    raised = torch.tensor([float(flag)], device=_meeting())
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised.item())


def wait() -> None:
    """Until every process has come this far."""
    if dist.is_initialized():
        dist.barrier()


def agree(value: object) -> object:
    """Rank 0's value, in every process."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]
