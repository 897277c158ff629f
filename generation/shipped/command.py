"""`python -m generation ship`: pack trained networks into small, checked and documented files."""

from __future__ import annotations

import argparse
from pathlib import Path

from generation import packed
from generation.arguments import whole
from generation.errors import InputError
from generation.weights import file_of, is_packed, read_safetensors

MOST = 20  # MB of all networks together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="[NAME=]RUN",
        help="training folder; repeat for every network (its name is the stage unless you give one)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the packed weights; replaced if it exists")
    parser.add_argument(
        "--notes", type=Path, help="Markdown for the model card: data, licence, measures, memorisation, limits"
    )
    parser.add_argument("--most-mb", type=whole(1), default=MOST, help=f"maximum total size in MB (default: {MOST})")


def run(args: argparse.Namespace) -> None:
    """Pack the runs, and check that the folder can be read back."""
    networks, cards = {}, []
    for given in args.run:
        name, path = _named(given)
        tensors, about = read_safetensors(path)
        name = name or str(about.get("stage", ""))
        if not name or name in networks:
            raise InputError(f"--run {given}: expected a different name, as in NAME={given}, found {name!r}")
        if not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(f"--run {given}: expected a name of letters, digits, - and _, found {name!r}")
        networks[name] = packed.Network(tensors, about)
        card = path.parent / "README.md"
        cards.append((name, card.read_text(encoding="utf-8") if card.is_file() else "This run has no card.\n"))
    total = packed.write(args.out, networks, _card(args, networks, cards), args.most_mb * 10**6)
    for name in networks:
        packed.check(args.out / packed.INDEX, name)
    print(f"{args.out}: {', '.join(networks)}, {total / 1e6:.1f} MB in fp16")


def _named(given: str) -> tuple[str, Path]:
    """Return the name and the file of `NAME=RUN` or `RUN`; a run whose own name contains `=` is used unchanged."""
    name, sign, path = given.partition("=")
    whole_path = Path(given)
    if not sign or whole_path.exists():
        name, path = "", given
    if is_packed(Path(path)):
        raise InputError(f"--run {given}: these weights are already packed; expected a training folder")
    return name, file_of(Path(path))


def _card(args: argparse.Namespace, networks: dict[str, packed.Network], cards: list[tuple[str, str]]) -> str:
    lines = [
        f"# {args.out.name}",
        "",
        "Weights that come with Discern, for making synthetic radiographs for observer studies, teaching and tests.",
        "",
        "**Not for diagnosis.** Images made by these networks show no patients or clinical findings. Do not use them",
        "for decisions about care, or as evidence of how a disease looks.",
        "",
        "| network | stage | parameters |",
        "|---|---|---|",
        *(
            f"| {name} | {network.about['stage']} | {sum(tensor.numel() for tensor in network.tensors.values()):,} |"
            for name, network in networks.items()
        ),
        "",
        f"Floating-point weights are stored in fp16. Sizes and checksums of all parts are in `{packed.INDEX}`; Discern",
        "checks them whenever it reads the weights.",
        "",
    ]
    if args.notes:
        try:
            lines += [args.notes.read_text(encoding="utf-8").rstrip(), ""]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--notes {args.notes} cannot be read: {error}") from None
    for name, card in cards:
        lines += [f"## How {name} was trained", "", *_demoted(card), ""]
    return "\n".join(lines).rstrip() + "\n"


def _demoted(card: str) -> list[str]:
    """Return the lines of a run's card without its title and with headings one level lower; code is unchanged."""
    inside, lines = False, []
    for line in card.strip().splitlines():
        inside ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not inside else line)
    return lines[2:] if lines and lines[0].startswith("## ") else lines
