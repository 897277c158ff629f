"""The results of a study: its reports, once the truth may be seen."""

from __future__ import annotations

import math

from flask import abort, current_app, g, render_template, request, send_from_directory
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app.models import Study
from quiz_app.researcher import blueprint, cancelled, looking, owner_only, saved
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, outcome, reports, researchers

# The report contains its own style and script and can access nothing else: no cookie, no other address.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups allow-modals; default-src 'none'; img-src data: blob:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:; base-uri 'none'; frame-ancestors 'none'"
)
WALL = 48  # cases on a page


def _settings() -> Settings:
    return current_app.config["SETTINGS"]


@blueprint.get("/studies/<study>/results")
def show_results() -> ResponseReturnValue:
    """Every report made so far, and the button for the next."""
    if g.study.blinded:
        return render_template("researcher/blinded.html")
    now = reports.key(looking(), g.study)
    kept = reports.kept(_settings().instance, g.study)
    there = {report.key for report in kept}
    found = outcome.present(_settings().instance, g.study, now)
    return render_template(
        "researcher/results.html",
        kept=kept,
        now=now,
        there=there,
        files=next((report.files for report in kept if report.key == now), []),
        others=_others(),
        found=found,
        **(outcome.writing(found) if found else {}),
    )


def _outcome() -> outcome.Outcome:
    """The report on the current answers of a rating study: 403 while it is blinded, 404 if there is none."""
    if g.study.blinded:
        abort(403)
    key = reports.key(looking(), g.study)
    found = outcome.present(_settings().instance, g.study, key)
    return found if found and found.results["design"] == "rating" else abort(404)


@blueprint.get("/studies/<study>/results/cases")
def show_cases() -> ResponseReturnValue:
    """Every case and how it was judged: sorted by `?sort=`, filtered by `truth`, `source` and readers' `group`."""
    found = _outcome()
    chosen = {name: request.args.get(name, "") for name in ("truth", "source", "group")}
    sort = request.args.get("sort", "wrong")
    times = outcome.times(looking(), g.study, found.condition)
    rows = outcome.wall(found, outcome.numbers(looking(), g.study), times, sort=sort, **chosen)
    pages = max(1, math.ceil(len(rows) / WALL))
    page = min(max(1, request.args.get("page", 1, type=int)), pages)
    return render_template(
        "researcher/results_cases.html",
        rows=rows[(page - 1) * WALL : page * WALL],
        count=len(rows),
        page=page,
        pages=pages,
        found=found,
        sorts=outcome.SORTS,
        chosen=chosen | {"sort": sort},
    )


@blueprint.get("/studies/<study>/results/cases/<int:case>")
def show_case(case: int) -> ResponseReturnValue:
    """One case: its image with the marks, and every answer."""
    found = _outcome()
    names = {number: name for name, number in outcome.numbers(looking(), g.study).items()}
    told = next((one for one in found.results["cases"] if one["case"] == names.get(case)), None) or abort(404)
    return render_template(
        "researcher/results_case.html",
        case=told,
        condition=found.condition,
        number=case,
        levels=outcome.LEVELS,
        groups={name: row.get("group") for name, row in found.results["readers"].items()},
        times=outcome.answers(looking(), g.study, found.condition, case),
        marks=outcome.marks(looking(), g.study, found.condition, case),
    )


@blueprint.get("/studies/<study>/results/readers/<name>")
def show_result_of_reader(name: str) -> ResponseReturnValue:
    """One reader's results: accuracy by rule, ROC curve, calibration and pace."""
    found = _outcome()
    told = found.results["readers"].get(name) or abort(404)
    return render_template(
        "researcher/results_reader.html",
        name=name,
        told=told,
        condition=found.condition,
        roc=list(zip(told["roc"]["fpr"], told["roc"]["tpr"], strict=True)) if "fpr" in told["roc"] else [],
        pace=outcome.pace(looking(), g.study, found.condition, name),
        lead=found.results["settings"]["unsure"],
        **outcome.writing(found),
    )


def _others() -> dict[str, Study]:
    """The other studies of this researcher whose truth may be seen, by slug."""
    known = [study for study, _ in researchers.studies(looking(), current_user) if study.id != g.study.id]
    return {study.slug: study for study in known if not study.blinded}


@blueprint.get("/studies/<study>/compare")
def compare_study() -> ResponseReturnValue:
    """Compare this study with another (`?with=SLUG`), or with itself at the time of an earlier report (`?with=KEY`)."""
    if g.study.blinded:
        abort(403)
    wanted = request.args.get("with", "")
    moments = {report.key: report.answers for report in reports.kept(_settings().instance, g.study)}
    other = g.study if wanted in moments else _others().get(wanted) or abort(404)
    found = reports.compare(_settings(), g.study, other, moments.get(wanted))
    return render_template("researcher/compare.html", found=found, other=other, answers=moments.get(wanted))


@blueprint.post("/studies/<study>/results")
def make_report() -> ResponseReturnValue:
    """Start creating the report on the current answers in the background."""
    if g.study.blinded:
        abort(403)
    settings = _settings()
    reports.make(settings, g.study, reports.key(looking(), g.study))
    return saved("show_results")


def _report(key: str) -> reports.Report:
    """The report of this study with this key; 403 while the study is blinded, 404 if there is none."""
    if g.study.blinded:
        abort(403)
    found = [report for report in reports.kept(_settings().instance, g.study) if report.key == key]
    return found[0] if found else abort(404)


@blueprint.get("/studies/<study>/results/<key>.json")
def report_status(key: str) -> ResponseReturnValue:
    """The progress of a report."""
    report = _report(key)
    return report.work.told()


@blueprint.post("/studies/<study>/results/<key>/cancel")
def cancel_report(key: str) -> ResponseReturnValue:
    """Stop creating a report; nothing is kept."""
    return cancelled(reports.home(_settings().instance, g.study) / _report(key).key, "show_results")


@blueprint.get("/studies/<study>/results/<key>/<path:name>")
def report_file(key: str, name: str) -> ResponseReturnValue:
    """A file of a report."""
    if name not in _report(key).files:
        abort(404)
    response = send_from_directory(reports.home(_settings().instance, g.study) / key, name)
    if name.endswith(".html"):
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response


@blueprint.post("/studies/<study>/unblind")
@owner_only
def unblind_study() -> ResponseReturnValue:
    """Show truth and results before the close; this is recorded."""
    lifecycle.unblind(g.study, request.form.get("reason", ""), actor=current_user.name)
    return saved("show_results", "The study is unblinded; the log and every report say so.")
