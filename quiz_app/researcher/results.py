"""The results of a study: its reports, once truth may be seen."""

from __future__ import annotations

from flask import abort, current_app, g, render_template, request, send_from_directory
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app.models import Study
from quiz_app.researcher import blueprint, looking, owner_only, saved
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, reports, researchers

# The report carries its own style and script, and gets nothing else: no cookie, no other address.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups allow-modals; default-src 'none'; img-src data: blob:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:; base-uri 'none'; frame-ancestors 'none'"
)


def _settings() -> Settings:
    return current_app.config["SETTINGS"]


@blueprint.get("/studies/<study>/results")
def show_results() -> ResponseReturnValue:
    """Every report that was made, and the way to the next."""
    if g.study.blinded:
        return render_template("researcher/blinded.html")
    now = reports.key(looking(), g.study)
    kept = reports.kept(_settings().instance, g.study)
    there = {report.key for report in kept}
    return render_template("researcher/results.html", kept=kept, now=now, there=there, others=_others())


def _others() -> dict[str, Study]:
    """The other studies of this researcher whose truth may be seen, by slug."""
    known = [study for study, _ in researchers.studies(looking(), current_user) if study.id != g.study.id]
    return {study.slug: study for study in known if not study.blinded}


@blueprint.get("/studies/<study>/compare")
def compare_study() -> ResponseReturnValue:
    """This study beside another (`?with=SLUG`), or beside itself at the moment of an earlier report (`?with=KEY`)."""
    if g.study.blinded:
        abort(403)
    wanted = request.args.get("with", "")
    moments = {report.key: report.answers for report in reports.kept(_settings().instance, g.study)}
    other = g.study if wanted in moments else _others().get(wanted) or abort(404)
    found = reports.compare(_settings(), g.study, other, moments.get(wanted))
    return render_template("researcher/compare.html", found=found, other=other, answers=moments.get(wanted))


@blueprint.post("/studies/<study>/results")
def make_report() -> ResponseReturnValue:
    """Have the report on the present answers made in the background."""
    if g.study.blinded:
        abort(403)
    settings = _settings()
    reports.make(settings, g.study, reports.key(looking(), g.study))
    return saved("show_results")


def _report(key: str) -> reports.Report:
    """The report of this study called `key`; 403 as long as the study is blinded, 404 if there is none."""
    if g.study.blinded:
        abort(403)
    found = [report for report in reports.kept(_settings().instance, g.study) if report.key == key]
    return found[0] if found else abort(404)


@blueprint.get("/studies/<study>/results/<key>.json")
def report_status(key: str) -> ResponseReturnValue:
    """How far a report is."""
    report = _report(key)
    return report.work.told()


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
    """Show truth and results before the close, on record."""
    lifecycle.unblind(g.study, request.form.get("reason", ""), actor=current_user.name)
    return saved("show_results", "The study is unblinded; the log and every report say so.")
