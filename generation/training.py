"""The training loop for all tasks. A task provides the networks, their losses and sample sheets; this does the rest."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal, Protocol

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError
from torch import Tensor, nn
from tqdm import tqdm

from generation import devices, runs
from generation.errors import InputError
from generation.examples import VALIDATION, Example, Examples, MakeExample, Order, Pictures, loader
from generation.records import Board, Log, Record
from generation.settings import explained
from generation.weights import write_safetensors


@dataclass(frozen=True)
class Optimiser:
    """The optimiser and averaging."""

    learning_rate: float = explained(1e-4, "peak learning rate of AdamW", least=0)
    beta1: float = explained(0.9, "AdamW's decay rate for the mean gradient", least=0, most=1)
    beta2: float = explained(0.99, "AdamW's decay rate for the mean squared gradient", least=0, most=1)
    weight_decay: float = explained(0.0, "AdamW's weight decay", least=0)
    warmup: int = explained(300, "steps over which the learning rate rises to its peak", least=0)
    decay: Literal["cosine", "constant"] = explained("cosine", "how the learning rate falls afterwards")
    clip: float = explained(1.0, "maximum gradient norm; 0 for no limit", least=0)
    ema: float = explained(0.9999, "decay rate of the averaged weights, which are the ones kept", least=0, most=1)


@dataclass(frozen=True)
class Training:
    """Length, batch size, and what is saved."""

    epochs: int = explained(300, "passes over the training images", least=1)
    batch: int = explained(32, "images per optimiser step, over all processes", least=1)
    accumulation: int = explained(1, "parts into which a batch is divided, to save memory", least=1)
    precision: devices.Precision = explained("auto", "fp32, bf16, fp16, or auto: half if the device supports it")  # noqa: RUF009
    compile: bool = explained(False, "compile the network first; worthwhile for long runs on a GPU")
    workers: int = explained(0, "processes that prepare examples in advance; 0 for none", least=0)
    save_every: int = explained(1000, "steps between saved states, for --resume", least=1)
    look_every: int = explained(1, "epochs between validation losses and sample sheets", least=1)
    samples: int = explained(16, "images on a sample sheet, always from the same seeds", least=1)
    licence: str = explained("not stated", "licence of the weights, for the model card")


class Task(Protocol):
    """A training task. The first of `networks` is averaged and kept."""

    networks: dict[str, nn.Module]
    about: dict[str, Any]  # what is needed to rebuild the kept network

    example: MakeExample

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """Return the terms whose sum the named network minimises on a batch. Networks take turns, in order."""

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return one number per batch for judging the kept network."""

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return a sheet (H, W) in [0, 1] of `count` images, from the same seeds every time."""


class Trainer:
    """Trains a task into a folder: state for resuming, log.csv, samples/, and the kept network."""

    def __init__(
        self,
        task: Task,
        pictures: Mapping[str, Pictures],
        optimiser: Optimiser,
        training: Training,
        out: Path,
        seed: int,
        device: str,
        tensorboard: bool = False,
    ):
        self.task, self.training, self.out, self.seed, self.clip = task, training, out, seed, optimiser.clip
        self.pictures, self.tensorboard = pictures, tensorboard
        where = devices.start(device).device
        precision = devices.resolve(training.precision, where)
        self.accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision="no" if precision == "fp32" else precision,
            gradient_accumulation_steps=training.accumulation,
        )
        self.order = Order(
            len(pictures["train"]),
            training.batch,
            training.accumulation,
            self.accelerator.num_processes,
            self.accelerator.process_index,
            seed,
        )
        self.step, self.total = 0, training.epochs * self.order.steps
        self.gradient_norm = 0.0  # of the kept network at the last step, before clipping
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        for name, network in task.networks.items():
            devices.prepared(network, where)
            if training.compile:
                network.compile()
            adam = torch.optim.AdamW(
                network.parameters(),
                lr=optimiser.learning_rate,
                betas=(optimiser.beta1, optimiser.beta2),
                weight_decay=optimiser.weight_decay,
            )
            rule = "cosine" if optimiser.decay == "cosine" else "constant_with_warmup"
            self.schedules[name] = get_scheduler(
                rule, adam, num_warmup_steps=optimiser.warmup, num_training_steps=self.total
            )
            self.networks[name], self.optimisers[name] = self.accelerator.prepare(network, adam)
        self.kept = next(iter(task.networks.values()))
        self.average = EMAModel(self.kept.parameters(), decay=optimiser.ema)
        self.accelerator.register_for_checkpointing(self.average, *self.schedules.values())

    def resume(self) -> None:
        """Continue from the last saved state. Raises InputError if it is damaged."""
        state = saved_states(self.out)[-1]
        try:
            self.accelerator.load_state(str(state))
        except (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError, UnpicklingError) as error:
            raise InputError(f"{state} is damaged: {error}") from error
        self.step = int(state.name.removeprefix("state-"))

    def run(self) -> float:
        """Train to the end; return the seconds it took."""
        begun = time.monotonic()
        bar = tqdm(total=self.total, initial=self.step, desc="training", disable=not self.accelerator.is_main_process)
        with bar, self._records() as records:
            for epoch in range(self.step // self.order.steps, self.training.epochs):
                for measures in self._epoch(epoch):
                    bar.update()
                    bar.set_postfix({name: f"{value:.4g}" for name, value in measures.items()})
                    for record in records:
                        record.write(self.step, epoch, measures)
                    self._assert_finite(measures)
                    if self.step % self.order.steps:  # at the end of an epoch the sheet comes first
                        self._save_when_due()
                if (epoch + 1) % self.training.look_every == 0 or epoch + 1 == self.training.epochs:
                    validation = self._look(epoch + 1)
                    for record in records:
                        record.write(self.step, epoch, {"validation": validation})
                        record.show(self.step, self._sheet(epoch + 1))
                self._save_when_due()
        self._save()
        self.accelerator.end_training()
        return time.monotonic() - begun

    @contextmanager
    def _records(self) -> Iterator[list[Record]]:
        """Yield the records of measures: log.csv, and optionally TensorBoard. Only one process writes them."""
        records: list[Record] = []
        if self.accelerator.is_main_process:
            records.append(Log(self.out / "log.csv", self.step))
            if self.tensorboard:
                records.append(Board(self.out / "tensorboard", self.step))
        try:
            yield records
        finally:
            for record in records:
                record.close()

    def _assert_finite(self, measures: Mapping[str, float]) -> None:
        lost = [name for name, value in measures.items() if name != "gradient_norm" and not math.isfinite(value)]
        if lost:  # if fp16 overflows, that step is skipped and its gradient shows it
            raise InputError(
                f"step {self.step}: {', '.join(lost)} is no longer a number, because the training has diverged; earlier"
                " saved states are kept. Try a smaller optimiser.learning_rate, or an optimiser.clip above 0"
            )

    def _save_when_due(self) -> None:
        if self.step % self.training.save_every == 0 and self.step < self.total:
            self._save()

    def _epoch(self, epoch: int) -> Iterator[dict[str, float]]:
        """Take the remaining steps of an epoch; yield the mean losses over all processes and the step size of each."""
        examples = Examples(self.pictures["train"], self.task.example, self.seed)
        batches = self.order.epoch(epoch, self.step - epoch * self.order.steps)
        sums: dict[str, Tensor] = {}
        for batch in loader(examples, batches, self.training.workers):
            with self.accelerator.accumulate(*self.networks.values()):
                for name, value in self._turns(self._to_device(batch)).items():
                    sums[name] = sums.get(name, torch.zeros_like(value)) + value / self.training.accumulation
                if self.accelerator.sync_gradients:
                    self.average.step(self.kept.parameters())
                    self.step += 1
                    measures = {name: float(self.accelerator.reduce(value, "mean")) for name, value in sums.items()}
                    rate = next(iter(self.schedules.values())).get_last_lr()[0]
                    yield measures | {"learning_rate": rate, "gradient_norm": self.gradient_norm}
                    sums = {}

    def _turns(self, batch: Example) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for name, network in self.networks.items():
            with self.accelerator.autocast():
                losses = self.task.losses(name, network, batch)
            self.accelerator.backward(torch.stack(list(losses.values())).sum())
            if self.accelerator.sync_gradients:
                length = self.accelerator.clip_grad_norm_(network.parameters(), self.clip or math.inf)
                if network is next(iter(self.networks.values())):
                    self.gradient_norm = float(length)
                self.optimisers[name].step()
                self.schedules[name].step()
                self.optimisers[name].zero_grad()
            terms |= {term: value.detach() for term, value in losses.items()}
        return terms

    @torch.no_grad()
    def _look(self, epoch: int) -> float:
        """Evaluate the averaged weights by the validation loss and a sheet of samples, and write them."""
        self.average.store(self.kept.parameters())
        self.average.copy_to(self.kept.parameters())
        self.kept.eval()
        if self.accelerator.is_main_process:
            write_safetensors(self.out / "model.safetensors", self.kept, self.task.about)
            sheet = self.task.sheet(self.kept, self.pictures["validation"], self.training.samples)
            runs.save_image(self._sheet(epoch), sheet.numpy())
        loss = self._validate()
        self.kept.train()
        self.average.restore(self.kept.parameters())
        return loss

    def _sheet(self, epoch: int) -> Path:
        return self.out / "samples" / f"epoch-{epoch:04d}.png"

    def _validate(self) -> float:
        examples = Examples(self.pictures["validation"], self.task.example, self.seed)
        numbers = range(len(self.pictures["validation"]))[self.order.process :: self.order.processes]
        size = max(1, self.training.batch // (self.training.accumulation * self.order.processes))
        batches = [[(VALIDATION, i) for i in numbers[at : at + size]] for at in range(0, len(numbers), size)]
        total = torch.zeros(2, device=self.accelerator.device)
        for batch in loader(examples, iter(batches), self.training.workers):
            with self.accelerator.autocast():
                loss = self.task.validation_loss(self.kept, self._to_device(batch))
            count = len(next(iter(batch.values())))
            total += torch.stack((loss.float() * count, torch.tensor(float(count), device=total.device)))
        total = self.accelerator.reduce(total, "sum")
        return float(total[0] / total[1])

    def _to_device(self, batch: Example) -> Example:
        return {name: tensor.to(self.accelerator.device, non_blocking=True) for name, tensor in batch.items()}

    def _save(self) -> None:
        """Save everything that a resumed run needs, and only then remove the previous state."""
        target = self.out / f"state-{self.step:09d}"
        part = target.with_name(f"{target.name}.part")
        try:
            self.accelerator.save_state(str(part))
        except (OSError, RuntimeError, SafetensorError) as error:  # raised by the libraries if the disk is full
            shutil.rmtree(part, ignore_errors=True)
            raise InputError(f"{target} cannot be written; the previous state is kept: {error}") from error
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(target, ignore_errors=True)
            part.replace(target)
            for older in set(self.out.glob("state-*")) - {target}:
                shutil.rmtree(older)
        self.accelerator.wait_for_everyone()


def saved_states(out: Path) -> list[Path]:
    """Return the states from which a training can be resumed, latest last."""
    return sorted(out.glob("state-*[0-9]"))


def contact_sheet(pictures: Tensor, columns: int = 0) -> Tensor:
    """Arrange images (N, 1, H, W) in a sheet (rows * H, columns * W), by default near-square, with white gaps."""
    count, _, height, width = pictures.shape
    columns = columns or math.ceil((count * height / width) ** 0.5)
    rows = -(-count // columns)
    places = torch.ones(rows * columns, height, width)
    places[:count] = pictures[:, 0].cpu()
    return places.view(rows, columns, height, width).permute(0, 2, 1, 3).reshape(rows * height, columns * width)
