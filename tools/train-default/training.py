"""What every training loop shares: moving average, and checkpoints that resume."""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn


def core_seconds() -> float:
    """What budgets are counted in: processor time of this process, the same on a busy machine and on an idle one."""
    return time.process_time()


def mixed_precision() -> torch.autocast:
    """bf16 where the processor multiplies it (twice as fast); without such instructions it is emulated, ten times slower."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())


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
    state = {name: part.state_dict() for name, part in parts.items()} | {"used": used, "step": step}
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
    state = torch.load(path, weights_only=True)
    for name, part in parts.items():
        if name in state:
            part.load_state_dict(state[name])
    return state["used"], state["step"]
