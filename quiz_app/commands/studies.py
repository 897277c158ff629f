"""discern study: create, register, plan, settings, list, open, close, copy, archive, restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup
from tqdm import tqdm

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive
from quiz_app.models import Pool, Study
from quiz_app.study import hints, lifecycle, plan, registering, reports

group = AppGroup("study", help="Create, open, close and copy studies.")


@group.command()
@click.option("--file", "file", type=click.Path(path_type=Path), help="A plan file written by `discern study plan`.")
@click.option("--title", default="", help="Title shown to readers and researchers.")
@click.option("--pool", "pool_slug", default="", help="Slug of an imported pool.")
@click.option("--slug", default="", help="Short name for addresses and exports; made from the title if not given.")
@click.option(
    "--preset",
    type=click.Choice(list(lifecycle.PRESETS)),
    default="panodiff",
    show_default=True,
    help="Settings to start from. For quartets: cervical, quartets. For staircases: hype-time, staircase. For "
    "comparisons: comparisons, diffusionxray. The others are for ratings.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the random order; drawn if not given.")
@as_json
@plainly
def create(
    file: Path | None, title: str, pool_slug: str, slug: str, preset: str, seed: int | None, as_json: bool
) -> None:
    """Create a draft of a study on an imported pool, from a preset or a plan.

    The options --title, --pool, --slug and --seed override the plan.
    """
    if file is not None:
        study = plan.make(_text(file), pool=pool_slug, slug=slug, title=title, seed=seed)
    else:
        pool = db.session.scalar(sa.select(Pool).filter_by(slug=pool_slug))
        if pool is None:
            raise InvalidInputError(
                [f"pool: there is no pool {pool_slug!r}; import one with: discern pool import FOLDER"]
            )
        study = lifecycle.create(title, pool, slug=slug, preset=preset, seed=seed)
    db.session.commit()
    tell(f"{study.slug}: a draft, seed {study.seed}", _about(study), as_json)


def _about(study: Study) -> dict[str, Any]:
    return {
        "study": study.slug,
        "title": study.title,
        "design": study.design,
        "state": study.state,
        "pool": study.pool.slug,
        "seed": study.seed,
        "version": study.version,
        "readers": len(study.readers),
        "answers": lifecycle.answers(study),
    }


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError([f"file: {file} cannot be read: {error}"]) from None


@group.command("plan")
@click.argument("slug")
@plainly
def plan_(slug: str) -> None:
    """Print the plan of study SLUG: a file from which `discern study create --file` creates the same study."""
    click.echo(plan.dump(lifecycle.find(slug)), nl=False)


@group.command()
def settings() -> None:
    """Print every setting with its default and meaning, as in docs/reference/settings.md."""
    for line in plan.handbook():
        click.echo(line)


@group.command("list")
@as_json
@plainly
def list_(as_json: bool) -> None:
    """List every study: slug, state, answers, title."""
    studies = [_about(study) for study in db.session.scalars(sa.select(Study).order_by(Study.id))]
    lines = [f"{one['study']}\t{one['state']}\t{one['answers']} answers\t{one['title']}" for one in studies]
    tell("\n".join(lines), studies, as_json)


@group.command("open")
@click.argument("slug")
@as_json
@plainly
def open_(slug: str, as_json: bool) -> None:
    """Open study SLUG to its readers."""
    study = lifecycle.find(slug)
    lifecycle.open_study(study, actor="command line")
    db.session.commit()
    tell(f"{slug}: open", _about(study), as_json)


@group.command()
@click.argument("slug")
@as_json
@plainly
def close(slug: str, as_json: bool) -> None:
    """Close study SLUG: readers can no longer answer, and its results can be seen."""
    study = lifecycle.find(slug)
    lifecycle.close(study, actor="command line")
    db.session.commit()
    tell(f"{slug}: closed", _about(study), as_json)


@group.command()
@click.argument("slug")
@click.option("--to", default="", help="Slug of the copy.")
@click.option("--title", default="", help="Title of the copy.")
@as_json
@plainly
def copy(slug: str, to: str, title: str, as_json: bool) -> None:
    """Create a draft with the pool and settings of study SLUG, without its readers."""
    study = lifecycle.copy(lifecycle.find(slug), slug=to, title=title)
    db.session.commit()
    tell(f"{study.slug}: a draft, seed {study.seed}", _about(study), as_json)


@group.command()
@click.argument("slug")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@plainly
def register(slug: str, file: Path, as_json: bool) -> None:
    """Attach the registration in FILE (from `discern plan --register`) to study SLUG, before its first answer."""
    study = lifecycle.find(slug)
    sha256 = registering.register(study, _text(file), actor="command line")["sha256"]
    db.session.commit()
    tell(f"{slug}: registered, SHA-256 {sha256}", _about(study) | {"registration": sha256}, as_json)


@group.command("hints")
@click.argument("slug")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@plainly
def hints_(slug: str, file: Path, as_json: bool) -> None:
    """Add the hints in FILE (CSV with case, hint and, if wanted, text) to study SLUG, before its first answer."""
    study = lifecycle.find(slug)
    count = hints.bring(study, _text(file), name=file.name, actor="command line")
    db.session.commit()
    tell(f"{slug}: {count} hints", _about(study) | {"hints": count}, as_json)


@contextmanager
def _bar() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal, and the function that moves it."""
    with tqdm(total=100, bar_format="{percentage:3.0f} % |{bar}| {desc}", disable=None, leave=False) as bar:

        def progress(share: float, what: str) -> None:
            bar.set_description_str(what, refresh=False)
            bar.update(int(100 * share) - bar.n)

        yield progress


@group.command("archive")
@click.argument("slug")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Zip file to write.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="archive.zip of a report to include; by default the desk's."
)
@as_json
@plainly
def archive_(slug: str, out: Path, report: Path | None, as_json: bool) -> None:
    """Write the archive of study SLUG: every row and image, for `discern study restore` in another installation.

    If it includes a report on all answers, `discern verify` can recompute the report's numbers from it.
    """
    if report is not None and not report.is_file():
        raise InvalidInputError([f"report: {report} does not exist"])
    lifecycle.find(slug)
    part = out.with_name(out.name + ".part")
    with reading() as session, part.open("wb") as file:
        study = session.scalars(sa.select(Study).filter_by(slug=slug)).one()
        settings = current_app.config["SETTINGS"]
        report = report or reports.archive(session, settings.instance, study)
        with _bar() as progress:
            archive.write(session, study, settings.images, file, report, progress)
    part.replace(out)
    size, told = out.stat().st_size, "" if report else "; without a report, because none covers all answers yet"
    about = {"study": slug, "file": out, "bytes": size, "report": report is not None}
    tell(f"{out}: {size} bytes{told}", about, as_json)


@group.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@plainly
def restore(file: Path, as_json: bool) -> None:
    """Restore the study in archive FILE. If anything is wrong, nothing is restored."""
    with _bar() as progress:
        store = current_app.config["SETTINGS"].images
        study = archive.restore(file, store, actor="command line", progress=progress)
        db.session.commit()
    tell(f"{study.slug}: restored, {study.state}, {lifecycle.answers(study)} answers", _about(study), as_json)
