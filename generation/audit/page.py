"""The audit as a page for the researcher: self-contained, with the images that show each flagged cue most."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from generation import radiographs
from generation.audit import Audit, Cue

SHOWN = 4  # images of each class per cue

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
.verdict { padding: .8rem 1rem; border-radius: .4rem; background: #e7f4ea } .verdict.flagged { background: #fdeceb }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d9dee5 }
tr.flagged td:first-child { font-weight: 600; color: #a3211b } .bar { display: block; width: 9rem; height: 1.1rem }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .6rem }
figure { margin: 0 } img { width: 100%; display: block; background: #000 }
figcaption { font-size: .85rem; color: #4b5563 }
"""


def page(verdict: Audit) -> str:
    """Return the audit as HTML."""
    flagged = [cue for cue in verdict.cues if cue.flagged]
    name, together = escape(verdict.pool.name), verdict.together
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Audit of {name}</title>",
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>",
        f"<main><h1>Audit of the pool {name}</h1>",
        f"<p class='verdict {'flagged' if verdict.flagged else ''}'>{_summary(verdict, flagged)}</p>",
        f"<p>All cues together tell the classes apart with a cross-validated AUC of {together['auc']:.2f} "
        f"(permutation p = {together['p']:.3g}; chance is 0.50).</p>",
        *(f"<p>{escape(remark)}</p>" for remark in verdict.remarks),
        *(_section(verdict, cue) for cue in flagged),
        _table(verdict.cues),
        "</main></html>",
    ]
    return "\n".join(parts)


def _summary(verdict: Audit, flagged: list[Cue]) -> str:
    counted = (
        f"{len(verdict.cues)} cues that have nothing to do with anatomy were measured on {len(verdict.cases)} images. "
    )
    if flagged:
        seen = sum(cue.visible for cue in flagged)
        return (
            counted
            + f"<strong>{len(flagged)} of them give the class away</strong>; a viewer could see {seen} of these."
        )
    if verdict.flagged:
        return counted + "<strong>None gives the class away alone, but together they do.</strong>"
    return counted + "<strong>None gives the class away</strong>, alone or together."


def _section(verdict: Audit, cue: Cue) -> str:
    order = np.argsort(cue.values, kind="stable")
    more = order[::-1] if cue.auc >= 0.5 else order  # towards synthetic
    synthetic = [n for n in more if verdict.cases[n].truth == "synthetic"][:SHOWN]
    real = [n for n in more[::-1] if verdict.cases[n].truth == "real"][:SHOWN]
    seen = "It is visible to a viewer." if cue.visible else "Only software can detect it."
    return (
        f"<h2>{escape(cue.name)}</h2><p>AUC {cue.auc:.2f} [{cue.ci[0]:.2f}, {cue.ci[1]:.2f}], "
        f"corrected p = {cue.p:.2g}; median {cue.real:.4g} in real, {cue.synthetic:.4g} in synthetic images. "
        f"{seen} To remove it: {escape(cue.remedy)}.</p>"
        f"<div class=images>{''.join(_figure(verdict, cue, n) for n in [*synthetic, *real])}</div>"
    )


def _figure(verdict: Audit, cue: Cue, number: int) -> str:
    case = verdict.cases[number]
    image = radiographs.read(verdict.pool.path(case))
    image.thumbnail((416, 416))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    text = f"{case.truth}, {escape(case.file)}: {cue.values[number]:.4g}"
    return f"<figure><img alt='{text}' src='data:image/jpeg;base64,{data}'><figcaption>{text}</figcaption></figure>"


def _table(cues: list[Cue]) -> str:
    names = ("cue", "description", "AUC", "interval", "corrected p", "real", "synthetic", "seen by")
    head = "".join(f"<th>{name}" for name in names)
    rows = (
        f"<tr class='{'flagged' if cue.flagged else ''}'><td>{escape(cue.name)}<td>{escape(cue.topic)}"
        f"<td>{cue.auc:.2f}<td>{_bar(cue)}<td>{cue.p:.2g}<td>{cue.real:.4g}<td>{cue.synthetic:.4g}"
        f"<td>{'a viewer' if cue.visible else 'a machine'}"
        for cue in cues
    )
    table = f"<table><thead><tr>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<h2>All cues</h2><div class=scroll>{table}</div>"


def _bar(cue: Cue) -> str:
    low, high = cue.ci
    colour = "#a3211b" if cue.flagged else "#40597a"
    return (
        f"<svg class=bar viewBox='0 0 100 12' role=img aria-label='{low:.2f} to {high:.2f}'>"
        "<line x1=50 x2=50 y1=0 y2=12 stroke='#9aa5b1'/>"
        f"<line x1={100 * low:.1f} x2={100 * high:.1f} y1=6 y2=6 stroke='{colour}' stroke-width=2 />"
        f"<circle cx={100 * cue.auc:.1f} cy=6 r=3 fill='{colour}'/></svg>"
    )
