"""flask simulate: a rehearsal of a study."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from quiz_app import simulation
from quiz_app.commands.console import plainly


@click.command()
@click.option("--study", "slug", required=True, help="Slug of the study; it must be open.")
@click.option("--readers", "count", type=click.IntRange(1, 500), default=6, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same answers.")
@click.option("--url", help="Server to talk to, on the same database; one is started if not given.")
@with_appcontext
@plainly
def simulate(slug: str, count: int, seed: int, url: str | None) -> None:
    """Let simulated readers take a study through real HTTP requests.

    They are invited as sim-001, sim-002, ... and stay in the study with their answers: rehearse on a copy.
    """

    def tell(outcome: simulation.Outcome) -> None:
        score = f"{outcome.correct / outcome.scored:.1%} correct" if outcome.scored else ""
        ending = f"REFUSED: {outcome.refusal}" if outcome.refusal else f"{outcome.seconds:.1f} s"
        click.echo("\t".join([outcome.pseudonym, outcome.group, f"{outcome.scored} cases", score, ending]))

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    outcomes = simulation.run(app, slug, count, seed=seed, url=url, tell=tell)
    if refused := sum(bool(outcome.refusal) for outcome in outcomes):
        raise click.ClickException(f"{refused} of {count} readers could not finish")
