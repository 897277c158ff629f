"""The measures of quartets, against the published study, other software, and truths that are known."""

import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis as dn
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report.document import dump
from analysis.responses import load_frame
from analysis.statistics import multiplicity
from tests.analysis.quartets import study

QUICK = Settings(bootstrap=50)


def measured(table):
    return json.loads(dump(measure(load_frame(table), QUICK)))


@pytest.fixture(scope="module")
def table():
    return study(readers=6, quartets=30, share=0.5, seed=3)


@pytest.fixture(scope="module")
def results(table):
    return measured(table)


def test_the_published_test_result_is_reproduced(oracle):
    # arXiv 2510.22166: 8 readers, 50 quartets, 116 of 400 right.
    published = oracle("28")
    found = np.arange(400) < published["inputs"]["k"]
    overall = measured(study(8, 50, found=np.random.default_rng(0).permutation(found).reshape(8, 50)))["overall"]
    share = overall["proportion_correct"]
    assert (share["k"], share["n"], share["chance"], share["value"]) == (116, 400, 0.25, 0.29)
    assert share["chi_square"] == pytest.approx(published["expected"]["chi_square"])
    assert share["p_chisquare"] == pytest.approx(published["expected"]["p"])
    assert share["p_exact"] == pytest.approx(published["expected"]["p_exact_two_sided"])
    assert (round(share["chi_square"], 3), round(share["p_chisquare"], 4)) == (3.413, 0.0647)
    rows = multiplicity.adjust({"realism": dict(zip("ABC", published["inputs"]["raw_p"], strict=True))})
    assert [row.holm for row in rows] == pytest.approx(published["expected"]["holm_from_rounded_p"])
    assert [row.holm for row in rows] == pytest.approx(published["expected"]["holm_printed"], abs=0.0011)


def test_choices_are_counted_by_reader_source_and_place(table, results):
    chosen = table[table["chosen"] == 1]
    for name, reader in results["readers"].items():
        own = chosen[chosen["reader"] == name]
        assert reader["proportion_correct"]["k"] == (own["truth"] == "real").sum()
        assert reader["places"]["counts"] == [int((own["place"] == place).sum()) for place in (1, 2, 3, 4)]
        assert reader["sources"]["checkpoint B"] == (own["source"] == "checkpoint B").sum()
    for source in ("checkpoint A", "checkpoint B", "checkpoint C"):
        one = results["sources"][source]
        assert (one["chosen"], one["shown"]) == ((chosen["source"] == source).sum(), 180)
    assert results["sources"]["real"]["chosen"] == (chosen["truth"] == "real").sum()
    real = table[table["truth"] == "real"]
    assert results["places"]["real"]["counts"] == [int((real["place"] == place).sum()) for place in (1, 2, 3, 4)]
    for one in results["places"]["found"]:
        assert one["k"] == ((real["place"] == one["place"]) & (real["chosen"] == 1)).sum()


def test_tests_of_places_and_sources_are_those_of_scipy(results):
    named = ("checkpoint A", "checkpoint B", "checkpoint C")
    counts = [results["sources"][name]["chosen"] for name in named]
    assert results["fooling"]["chi_square"]["p"] == pytest.approx(stats.chisquare(counts).pvalue)
    assert results["fooling"]["sources"]["value"] == pytest.approx(stats.chisquare(counts).statistic)
    assert results["fooling"]["most"] == named[int(np.argmax(counts))] == "checkpoint B"
    assert results["places"]["p"] == pytest.approx(stats.chisquare(results["places"]["counts"]).pvalue)
    table = np.array([[reader["sources"][name] for name in named] for reader in results["readers"].values()])
    assert results["fooling"]["readers"]["p"] == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    v = stats.contingency.association(table, method="cramer")
    assert results["fooling"]["readers"]["value"] == pytest.approx(v)


@pytest.mark.parametrize(("scale", "points"), [([], 4), (["a", "b", "c", "d", "e", "[da]", "x"], 5), (None, 4)])
def test_the_points_of_realism_are_those_of_the_studys_settings_where_they_are_known(scale, points):
    loaded = load_frame(study(3, 6))
    settings = {} if scale is None else {"settings": {"scale": scale}}
    found = measure(replace(loaded, study=loaded.study | settings), Settings(bootstrap=50))["realism"]
    assert (found["points"], found["margin"]) == (points, pytest.approx(0.1 * (points - 1)))
    assert {len(one["counts"]) for one in found["by_source"].values()} == {points}


def test_one_image_that_fools_every_reader_does_not_speak_of_its_source():
    # In two quartets of six all ten readers take one image of source A for real; nobody errs in the others.
    table = study(10, 6, found=[[False] * 2 + [True] * 4] * 10)
    wrong = table["case"].isin(["q00a", "q01a"])
    quartets = table["case"].str[:3].isin(["q00", "q01"])
    table["chosen"] = table["chosen"].where(~quartets, wrong.astype(int))
    found = measured(table)["fooling"]
    assert (found["most"], found["sources"]["replicates"], found["sources"]["seed"]) == ("checkpoint A", 10_000, 0)
    assert found["chi_square"]["p"] < 1e-6
    assert found["sources"]["p"] == pytest.approx(1 / 3, abs=0.02)  # that both fall on one source


@pytest.mark.parametrize("unit", ["reader", "quartet"])
def test_paired_tests_of_realism_are_those_of_scipy(table, results, unit):
    rows = table.assign(quartet=table["case"].str[:3], source=table["source"].where(table["truth"] != "real", "real"))
    means = rows.pivot_table("realism", unit, "source")
    lines = [line for line in results["realism"]["tests"] if line["unit"] == unit]
    for line in lines:
        real, other = means["real"], means[line["b"]]
        assert line["value"] == pytest.approx((real - other).mean())
        if line["method"].startswith("t test"):
            found = stats.ttest_rel(real, other)
            assert (line["statistic"], line["p"]) == pytest.approx((found.statistic, found.pvalue))
        elif unit == "reader" and not np.isclose(real, other).any():
            assert line["p"] == pytest.approx(stats.wilcoxon(real - other).pvalue, abs=0.05)
    for method in {line["method"] for line in lines}:
        own = [line for line in lines if line["method"] == method]
        holm = multiplicity.adjust({"": {str(i): line["p"] for i, line in enumerate(own)}})
        assert [line["p_holm"] for line in own] == [row.holm for row in holm]
    friedman = stats.friedmanchisquare(*np.asarray(means).T)
    assert results["realism"]["friedman"][unit]["p"] == pytest.approx(friedman.pvalue)


def test_what_looks_less_real_is_found_by_every_method(results):
    realism = results["realism"]
    assert (realism["verdicts"]["checkpoint A"], realism["verdicts"]["checkpoint C"]) == ("none", "less")
    assert realism["model"]["odds_ratios"]["checkpoint C"]["ci"][1] < 1
    assert realism["span"]["low"] == "checkpoint C"
    means = realism["by_source"]
    assert means["real"]["value"] == pytest.approx(means["real"]["mean"])  # all rated by all
    assert means["real"]["ci"][0] < means["real"]["mean"] < means["real"]["ci"][1]
    assert sum(means["real"]["counts"]) == means["real"]["n"] == 180


def test_a_share_that_is_known_is_recovered_beyond_chance(results):
    lead = results["overall"]["clustered"]
    assert lead["ci"][0] < 0.5 < lead["ci"][1]
    assert lead["ci"][0] > 0.25
    assert lead["p"] == pytest.approx(2 * stats.t.sf((lead["value"] - 0.25) / lead["se"], lead["df"]))
    assert results["overall"]["model"]["proportion"]["value"] == pytest.approx(lead["value"], abs=0.02)
    assert results["overall"]["dprime"]["ci"][0] > 0


def test_readers_who_agree_have_a_kappa_and_readers_of_one_place_a_bias():
    same = study(4, 12, found=[[1] * 12] * 4)
    assert measured(same)["agreement"]["percent_agreement"]["image"]["value"] == 1
    first = same.assign(chosen=(same["place"] == 1).astype(int))
    found = measured(first)
    assert found["places"]["counts"] == [48, 0, 0, 0]
    assert found["places"]["p"] < 0.001
    assert found["limitations"]["constant_readers"] == 4


def test_the_order_of_rows_and_of_places_on_paper_changes_nothing(table, results):
    shuffled = measured(table.sample(frac=1, random_state=1))
    for part in ("readers", "sources", "places", "fooling", "quartets"):
        assert shuffled[part] == results[part]
    assert shuffled["overall"]["clustered"]["p"] == pytest.approx(results["overall"]["clustered"]["p"])


def test_practice_repeats_and_earlier_sittings_count_nowhere_and_repeats_beside():
    table = study(3, 6)
    own = table[table["reader"] == "R1"]
    first = own[own["trial"] == "t0-0"]
    extra = [
        first.assign(trial="again", is_repeat=1),
        first.assign(trial="practice", is_training=1, case="p" + first["case"]),
        first.assign(trial="practised", is_training=1, is_repeat=1),
        own.assign(sitting=0, trial="old" + own["trial"], chosen=(own["truth"] == "real").astype(int)),
    ]
    found = measured(pd.concat([table, *extra], ignore_index=True))
    assert found["study"]["excluded"] == {"training": 2, "repeats": 1, "superseded": 6}
    assert found["overall"]["proportion_correct"] == measured(table)["overall"]["proportion_correct"]
    assert (found["repeats"]["R1"]["value"], found["repeats"]["R1"]["n"]) == (1, 1)
    assert (found["study"]["answers"], found["study"]["expected"]) == (18, 18)


@pytest.fixture(scope="module")
def schema():
    published = json.loads((files("analysis.report") / "results.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(published)


def _emptied(table, columns, rows=None):
    changed = table.astype(dict.fromkeys(columns, object))
    changed.loc[changed.index if rows is None else rows, columns] = ""
    return changed


AWKWARD = {
    "as it should be": study(3, 6),
    "pairs": study(3, 6, images=2),
    "sextets of five points": study(3, 6, images=6, points=5),
    "one reader": study(1, 6),
    "one quartet": study(3, 1),
    "one trial": study(1, 1),
    "all found": study(3, 6, share=1),
    "none found": study(3, 6, share=0),
    "no realism": _emptied(study(3, 6), ["realism"]),
    "no times": _emptied(study(3, 6), ["response_ms"]),
    "no places": _emptied(study(3, 6), ["place"]),
    "no order": _emptied(study(3, 6), ["position"]),
    "no sources": _emptied(study(3, 6), ["source"]),
    "no answer": _emptied(study(3, 6), ["chosen", "realism"]),
    "an unfinished reader": study(3, 6).query("reader != 'R1' or trial in ('t0-0', 't0-1')"),
    "a reader who did not answer": _emptied(study(3, 6), ["chosen", "realism"], range(24)),
    "all alike": study(3, 6).assign(realism=4),
    "a source called real": study(3, 6).assign(source="real"),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_studies_are_measured_and_keep_to_the_schema(name, schema):
    found = measured(AWKWARD[name])
    assert [f"{error.json_path}: {error.message}" for error in schema.iter_errors(found)] == []


def test_the_schema_refuses_a_share_without_its_counts(results, schema):
    broken = json.loads(dump(results))
    del broken["overall"]["proportion_correct"]["k"]
    assert [error.json_path for error in schema.iter_errors(broken)] == ["$.overall.proportion_correct"]


def test_a_notebook_has_the_tables_and_the_headline(table):
    loaded = dn.load(table)
    assert loaded.readers["answered"].tolist() == [120] * 6
    assert "Real one found" in loaded._repr_html_()
    assert {"readers", "sources", "places", "realism_tests"} <= set(loaded.tables)
    for name in loaded.tables:
        assert isinstance(loaded.table(name), pd.DataFrame)
    assert loaded.plot("quartet_sources").axes
