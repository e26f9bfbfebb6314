"""What every training loop shares: the device, batches made ahead, moving average, and checkpoints that resume."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

_device = torch.device("cpu")


def use_device(name: str) -> None:
    """`cpu` or `cuda`, for every stage of this process."""
    global _device
    _device = torch.device(name)
    if _device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True


def device() -> torch.device:
    return _device


def device_name() -> str:
    """As model cards name it."""
    return torch.cuda.get_device_name() if _device.type == "cuda" else "CPU"


def core_seconds() -> float:
    """What budgets are counted in: processor time of this process, the same on a busy machine and on an idle one; on a
    GPU, which is not the processor's time, the clock's."""
    return time.process_time() if _device.type == "cpu" else time.monotonic()


def mixed_precision() -> AbstractContextManager[object]:
    """bf16 where it is multiplied in hardware: twice as fast. Processors that emulate it are ten times slower with it."""
    supported = _device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(_device.type, torch.bfloat16, enabled=supported)


def wave_precision() -> AbstractContextManager[object]:
    """For what makes a waveform: bf16 leaves steps that the losses of quiet parts hear, and a GPU can do without it."""
    return nullcontext() if _device.type == "cuda" else mixed_precision()


class _Endless(IterableDataset):
    def __init__(self, make: Callable[[np.random.Generator], object], seed: list[int]) -> None:
        self.make, self.seed = make, seed

    def __iter__(self) -> Iterator[object]:
        worker = get_worker_info()
        rng = np.random.default_rng([*self.seed, worker.id if worker else 0])
        while True:
            yield self.make(rng)


def ahead(make: Callable[[np.random.Generator], object], seed: list[int]) -> Iterator[Any]:
    """What `make` draws, without end. A GPU is faster than the Python that writes captions: processes of their own make
    them ahead there. `make` holds nothing that lies on the GPU."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return iter(DataLoader(_Endless(make, seed), batch_size=None, num_workers=4 if _device.type == "cuda" else 0))


class Ema:
    """Exponential moving average of the parameters; the decay rises with the number of updates."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = model.state_dict()
        names = [k for k, v in state.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.values[k] for k in names], [state[k] for k in names], 1 - decay)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.values

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.updates = 10 ** 6
        for k, v in state.items():
            self.values[k].copy_(v)


def save_state(path: Path, parts: dict[str, Any], used: float, step: int) -> None:
    """Written aside and renamed, so that a reader never sees half a file."""
    state = {name: part.state_dict() for name, part in parts.items()} | {"used": used, "step": step, "device": device_name()}
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def save_weights(path: Path, part: str, state: dict[str, torch.Tensor]) -> None:
    """The state of a stage that has weights and nothing else yet; an existing file stays."""
    if not path.exists():
        torch.save({part: state, "ema": state, "used": 0.0, "step": 0}, path)


def load_state(path: Path, parts: dict[str, Any]) -> tuple[float, int]:
    """Seconds used and steps done; (0, 0) when there is nothing to resume. Weights that `warm_start` wrote come alone."""
    if not path.exists():
        return 0.0, 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        if name in state:
            part.load_state_dict(state[name])
    return state["used"], state["step"]
