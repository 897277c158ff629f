"""discern simulate: a rehearsal of a study."""

from __future__ import annotations

from dataclasses import asdict

import click
from flask import current_app
from flask.cli import with_appcontext

from quiz_app import simulation
from quiz_app.commands.console import as_json, plainly, tell


@click.command()
@click.option("--study", "slug", required=True, help="Slug of the study; it must be open.")
@click.option("--readers", "count", type=click.IntRange(1, 500), default=6, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same answers.")
@click.option("--url", help="Server to talk to, on the same database; one is started if not given.")
@as_json
@with_appcontext
@plainly
def simulate(slug: str, count: int, seed: int, url: str | None, as_json: bool) -> None:
    """Let simulated readers take a study through real HTTP requests.

    They are invited as sim-001, sim-002, ... and stay in the study with their answers: rehearse on a copy.
    """

    def told(outcome: simulation.Outcome) -> None:
        score = f"{outcome.correct / outcome.scored:.1%} correct" if outcome.scored else ""
        ending = f"REFUSED: {outcome.refusal}" if outcome.refusal else f"{outcome.seconds:.1f} s"
        line = "\t".join([outcome.pseudonym, outcome.group, f"{outcome.scored} cases", score, ending])
        click.echo(line, err=as_json)

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    outcomes = simulation.run(app, slug, count, seed=seed, url=url, tell=told)
    if as_json:
        tell("", [asdict(outcome) for outcome in outcomes], as_json)
    if refused := sum(bool(outcome.refusal) for outcome in outcomes):
        raise click.ClickException(f"{refused} of {count} readers could not finish")
