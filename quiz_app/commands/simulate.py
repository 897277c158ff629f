"""discern simulate: rehearse a study."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import with_appcontext

from quiz_app.commands.console import as_json, plainly, tell

if TYPE_CHECKING:
    from quiz_app.simulation import Outcome


@click.command()
@click.option("--study", "slug", required=True, help="Slug of the study; it must be open.")
@click.option("--readers", "count", type=click.IntRange(1, 500), default=6, show_default=True, help="How many readers.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same answers."
)
@click.option("--url", help="Address of a running server on the same database; if not given, one is started.")
@click.option(
    "--success",
    type=click.FloatRange(0, 1),
    help="Quartets: how often readers find the real image (if not given, this follows from their sensitivity). "
    "Comparisons: how often they prefer the method that comes first by name (0.7 if not given).",
)
@click.option(
    "--threshold-ms",
    type=click.FloatRange(1, 60_000),
    default=350,
    show_default=True,
    help="Staircases: the exposure at which readers are halfway between guessing and always being right.",
)
@click.option(
    "--sensitivity",
    "known",
    type=(str, click.FloatRange(0, 10)),
    multiple=True,
    metavar="NAME D",
    help="Mean sensitivity (d') for the source or condition NAME; 1.2 if not given. May be given several times.",
)
@click.option(
    "--skip-washouts",
    is_flag=True,
    help="When all readers must wait for a washout, move the clock of the simulation's own server to its end. "
    "Otherwise the simulation stops there.",
)
@as_json
@with_appcontext
@plainly
def simulate(
    slug: str,
    count: int,
    seed: int,
    url: str | None,
    success: float | None,
    threshold_ms: float,
    known: tuple[tuple[str, float], ...],
    skip_washouts: bool,
    as_json: bool,
) -> None:
    """Let simulated readers take a study through real HTTP requests.

    They are invited as sim-001, sim-002, ... and their answers stay in the study, so use a copy of your study.
    """
    from quiz_app import simulation  # imported here because it loads an HTTP client

    def told(outcome: Outcome) -> None:
        score = f"{outcome.correct / outcome.scored:.1%} correct" if outcome.scored and outcome.has_truth else ""
        ending = f"REFUSED: {outcome.refusal}" if outcome.refusal else f"{outcome.seconds:.1f} s"
        if outcome.waits_until:
            ending = f"waits for the end of a washout, {outcome.waits_until:%Y-%m-%d %H:%M} UTC"
        line = "\t".join([outcome.pseudonym, outcome.group, f"{outcome.scored} {outcome.noun}", score, ending])
        click.echo(line, err=as_json)

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    outcomes = simulation.run(
        app,
        slug,
        count,
        seed=seed,
        url=url,
        success=success,
        threshold_ms=threshold_ms,
        known=dict(known),
        skip_washouts=skip_washouts,
        tell=told,
    )
    if as_json:
        tell("", [asdict(outcome) for outcome in outcomes], as_json)
    if waiting := sum(outcome.waits_until is not None for outcome in outcomes):
        hint = "their links continue after it. To have them read every part now, use --skip-washouts"
        click.echo(
            f"{waiting} of {count} readers have finished a part and wait for the end of a washout; {hint}", err=True
        )
    if refused := sum(bool(outcome.refusal) for outcome in outcomes):
        raise click.ClickException(f"{refused} of {count} readers could not finish")
