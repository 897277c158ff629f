"""`python -m generation train`: train a stage on a prepared corpus, or on phantoms drawn for this purpose."""

from __future__ import annotations

import argparse
import json
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import set_seed
from joblib import Parallel, delayed
from PIL import Image

from generation import corpus, devices, phantom, recipe, runs, settings
from generation.arguments import bar, whole
from generation.errors import InputError
from generation.examples import Pictures, read_pictures
from generation.files import save_picture, save_text, sha256
from generation.records import require_tensorboard
from generation.training import Trainer, saved_states

STAGES = {
    "diffusion": "generation.diffusion.task",
    "autoencoder": "generation.latent.autoencoder_task",
    "latent": "generation.latent.task",
    "student": "generation.latent.student_task",
    "superresolution": "generation.superresolution.task",
    "restoration": "generation.restoration.task",
    "restoration-hat": "generation.restoration.hat_task",
    "ddpm-lq": "generation.restoration.ddpm_lq_task",
    "munit-lq": "generation.restoration.munit_task",
}
PRESETS = ("recommended", "published", "light", "phantom")
PHANTOM_SIZE = (512, 256)  # of the sharp images; the generator uses a quarter of it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=STAGES, default="diffusion", help="network to train (default: diffusion)")
    parser.add_argument("--preset", choices=PRESETS, default="recommended", help="settings to start from")
    parser.add_argument(
        "--recipe", metavar="NAME", help=f"train several stages in turn: {', '.join(recipe.names())}, or a TOML file"
    )
    parser.add_argument("--settings", type=Path, help="TOML file that overrides the preset; see --print-settings")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.NAME=VALUE", help="a single setting, overrides both"
    )
    parser.add_argument(
        "--print-settings",
        action="store_true",
        help="print every setting with its explanation, as a TOML file, and stop",
    )
    parser.add_argument("--data", type=Path, help="folder made by `corpus`; without it, phantoms are drawn")
    parser.add_argument(
        "--phantoms", type=whole(10), default=1000, help="number to draw without --data (default: 1000)"
    )
    parser.add_argument("--out", type=Path, help="folder for the network, log, samples and saved states")
    parser.add_argument("--seed", type=whole(0), default=0, help="seed of weights, order and noise (default: 0)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the training in --out from its last saved state"
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write event files for TensorBoard to OUT/tensorboard"
    )
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")


def run(args: argparse.Namespace) -> None:
    """Train a stage, or the stages of a recipe; under `accelerate launch`, on several devices or machines together."""
    if args.recipe:
        _cook(args)
    else:
        _train(args, {})


def _cook(args: argparse.Namespace) -> None:
    if args.out is None or args.data is None:
        raise InputError("--recipe needs --data, a folder made by `generation corpus`, and --out")
    if args.settings or args.set or args.print_settings:
        raise InputError("--recipe has its settings in a file; copy it, change it, and give its path")

    def train(step: recipe.Step, folder: Path, resume: bool) -> None:
        given = {**vars(args), "stage": step.stage, "preset": step.preset, "out": folder, "resume": resume}
        _train(argparse.Namespace(**given), step.tables)

    recipe.run(recipe.read(args.recipe, args.out, STAGES), args.out, args.resume, train)


def _train(args: argparse.Namespace, tables: dict[str, dict[str, Any]]) -> None:
    stage = import_module(STAGES[args.stage])
    chosen = _settings(args, stage.PRESETS, tables)
    if args.print_settings:
        print(settings.as_toml(chosen), end="")
        return
    _check_out(args)
    if args.tensorboard:
        require_tensorboard()
    state = devices.start(args.device)
    with state.main_process_first():
        data = args.data or _phantoms(args.out / "phantoms", args.phantoms, args.resume)
    pictures = {split: read_pictures(data, stage.PICTURES, split) for split in ("train", "validation")}
    set_seed(args.seed)
    seen = stage.prepare(chosen, pictures, args.seed) if hasattr(stage, "prepare") else pictures
    task = stage.make_task(chosen, seen["train"])
    trainer = Trainer(
        *(task, seen, chosen.optimiser, chosen.training, args.out, args.seed, args.device, args.tensorboard)
    )
    with state.main_process_first():
        runs.begin(args.out / "training.json", _sheet(args, chosen, data))
    if args.resume:
        trainer.resume()
    with devices.compiling():
        seconds = trainer.run()
    if state.is_main_process:
        _write_card(args.out, chosen, data, pictures, args, seconds, state.num_processes)
        print(f"{args.out / 'model.safetensors'}: trained for {trainer.step} steps, {seconds / 60:.1f} minutes here")


def _settings(args: argparse.Namespace, presets: dict[str, Any], of_recipe: dict[str, dict[str, Any]]) -> Any:
    if args.preset not in presets:
        raise InputError(f"--preset {args.preset}: the {args.stage} stage has {', '.join(presets)}")
    chosen = settings.update(presets[args.preset], of_recipe, f"--recipe {args.recipe}")
    if args.settings:
        chosen = settings.read(args.settings, chosen)
    tables: dict[str, dict[str, Any]] = {}
    for change in args.set:
        name, _, value = change.partition("=")
        section, _, name = name.partition(".")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value  # an unquoted word is text
        tables.setdefault(section, {})[name] = parsed
    return settings.update(chosen, tables, "--set")


def _check_out(args: argparse.Namespace) -> None:
    if args.out is None:
        raise InputError("--out is required: the folder for the network")
    if args.resume and not saved_states(args.out):
        raise InputError(f"{args.out} has no saved state to resume; leave out --resume to start")
    if not args.resume and saved_states(args.out):
        raise InputError(f"{args.out} already contains a training; continue it with --resume, or give another --out")
    if not args.resume:  # a training stopped before its first save is restarted, possibly with other settings
        (args.out / "training.json").unlink(missing_ok=True)


def _sheet(args: argparse.Namespace, chosen: Any, data: Path) -> dict[str, Any]:
    """Return what determines the weights, so that only the same training is resumed."""
    values = {
        f"{setting.section}.{setting.name}": getattr(getattr(chosen, setting.section), setting.name)
        for setting in settings.settings_of(type(chosen))
    }
    return {"stage": args.stage, "seed": args.seed, "manifest_sha256": sha256(data / "manifest.csv"), **values}


def _phantoms(folder: Path, count: int, resume: bool) -> Path:
    """Return a corpus of `count` phantoms, drawn if it does not exist yet; when resuming, use the existing one."""
    source, prepared = folder / "drawn", folder / "corpus"
    there = len(list(source.glob("*.png")))
    if (prepared / "manifest.csv").is_file() and (resume or there == count):
        return prepared
    if there > count:
        raise InputError(f"{source} contains {there} phantoms, but {count} are needed; give another --out")
    with bar("phantoms drawn") as progress:
        drawn = Parallel(n_jobs=-1, return_as="generator")(
            delayed(_draw)(source / f"{number:05d}.png", number) for number in range(count)
        )
        for done, _ in enumerate(drawn, start=1):
            progress(done, count)
    with bar("corpus prepared") as progress:
        corpus.prepare(source, prepared, size=PHANTOM_SIZE, progress=progress)
    return prepared


def _draw(path: Path, seed: int) -> None:
    if not path.is_file():
        save_picture(path, Image.fromarray(phantom.draw(seed, "real")))


def _write_card(
    out: Path,
    chosen: Any,
    data: Path,
    pictures: dict[str, Pictures],
    args: argparse.Namespace,
    seconds: float,
    processes: int,
) -> None:
    unreadable = [fault for split in pictures.values() for fault in split.unreadable]
    summary = json.loads((data / "corpus.json").read_text(encoding="utf-8")) if (data / "corpus.json").is_file() else {}
    sets = {name: int(np.sum(pictures["train"].sets == place)) for place, name in enumerate(pictures["train"].names, 1)}
    lines = [
        f"# {out.name}",
        "",
        f"Weights of the {args.stage} stage of Discern (`generation train`), preset `{args.preset}`, seed {args.seed}.",
        "",
        f"- Licence: {chosen.training.licence}",
        f"- Weights: `model.safetensors`, SHA-256 {sha256(out / 'model.safetensors')} (averaged weights)",
        f"- Data: {data.name}, {len(pictures['train'])} training and {len(pictures['validation'])} validation images"
        f" of {pictures['train'].pixels.shape[2]} x {pictures['train'].pixels.shape[1]}; sets {sets};"
        f" manifest SHA-256 {sha256(data / 'manifest.csv')}",
        f"- Corpus: {summary.get('distinct', '?')} distinct radiographs; near-duplicates are in the same split",
        f"- Left out as unreadable: {len(unreadable)}{''.join(f'; {fault}' for fault in unreadable)}",
        f"- Last session: {seconds:.0f} s, {processes} process(es), PyTorch {torch.__version__}",
        "",
        "```toml",
        settings.as_toml(chosen).rstrip(),
        "```",
        "",
    ]
    save_text(out / "README.md", "\n".join(lines))
