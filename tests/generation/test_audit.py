import io
import json
import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from scipy.stats import mannwhitneyu

from generation import audit, pool
from generation.__main__ import main
from generation.errors import InputError

SIZE = (512, 256)
EACH = 24


@pytest.fixture(scope="module")
def images(sound_phantoms) -> list[Image.Image]:
    """Half of these will play the synthetic class: nothing but chance tells the halves apart."""
    return sound_phantoms


def png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **({"compress_level": 6} | options))
    return buffer.getvalue()


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def changed(image: Image.Image, change) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(change(np.asarray(image, dtype=float))), 0, 255).astype(np.uint8))


def with_text(image: Image.Image) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "a generator")
    return png(image, pnginfo=text)


def padded(pixels: np.ndarray) -> np.ndarray:
    return np.pad(pixels[8:-8], ((8, 8), (0, 0)))


def noisy(pixels: np.ndarray) -> np.ndarray:
    return pixels + np.random.default_rng(int(pixels.sum())).normal(0, 5, pixels.shape)


def upsampled(image: Image.Image) -> Image.Image:
    return image.reduce(2).resize(image.size, Image.Resampling.NEAREST)


# What each leak does to the files of the synthetic class, and the topic under which it must be found.
LEAKS = {
    "a text within the file": (with_text, "header"),
    "another compression": (lambda image: png(image, compress_level=1), "header"),
    "another format": (lambda image: jpeg(image, 95), "header"),
    "another size": (lambda image: png(image.resize((516, 258))), "size"),
    "colour": (lambda image: png(image.convert("RGB")), "depth"),
    "bytes after the end": (lambda image: png(image) + b"\0" * 40_000, "length"),
    "padding": (lambda image: png(changed(image, padded)), "border"),
    "brightness": (lambda image: png(changed(image, lambda pixels: pixels + 25)), "brightness"),
    "half the grey levels": (lambda image: png(changed(image, lambda pixels: pixels // 2 * 2)), "histogram"),
    "noise": (lambda image: png(changed(image, noisy)), "noise"),
    "blur": (lambda image: png(image.resize((400, 200)).resize(SIZE)), "sharpness"),
    "an upsampler's grid": (lambda image: png(upsampled(image)), "grid"),
    "an earlier JPEG": (lambda image: png(Image.open(io.BytesIO(jpeg(image, 60)))), "jpeg"),
    "a mirrored image": (lambda image: png(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), "side"),
}  # fmt: skip


def write(folder, images, spoil=png, seed=5) -> None:
    order = np.random.default_rng(seed).permutation(len(images))
    entries = [
        pool.Entry("synthetic", "s", spoil(images[n])) if place % 2 else pool.Entry("real", "r", png(images[n]))
        for place, n in enumerate(order)
    ]
    shuffled = np.random.default_rng(seed + 1).permutation(len(entries))
    ordered = [entries[n] for n in shuffled]
    pool.write(folder, ordered, name="split", seed=seed, width=SIZE[0], height=SIZE[1], how={})


def flagged_topics(folder) -> set[str]:
    found = audit.audit(folder, permutations=99)
    assert found.flagged == bool([cue for cue in found.cues if cue.flagged] or found.together["p"] < 0.05)
    return {cue.name.split(":")[0] for cue in found.cues if cue.flagged}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found_under_its_name(images, tmp_path, leak):
    spoil, topic = LEAKS[leak]
    write(tmp_path / "pool", images, spoil)
    assert topic in flagged_topics(tmp_path / "pool")


def test_a_name_that_tells_is_found(images, tmp_path):
    folder = tmp_path / "pool"
    write(folder, images)
    table = (folder / "cases.csv").read_text().splitlines()
    for number, line in enumerate(table[1:], start=1):
        case, file, truth = line.split(",")[:3]
        if truth == "synthetic":
            (folder / file).rename(folder / f"images/fake-{case}.png")
            table[number] = line.replace(file, f"images/fake-{case}.png")
    (folder / "cases.csv").write_text("\n".join(table))
    assert flagged_topics(folder) == {"name"}


def test_a_date_that_tells_is_found(images, tmp_path):
    write(tmp_path / "pool", images)
    for case in pool.read(tmp_path / "pool").cases:
        os.utime(tmp_path / "pool" / case.file, (0, 1e9 if case.truth == "real" else 1.1e9))
    assert flagged_topics(tmp_path / "pool") == {"date"}


def test_split_real_images_have_no_leak(images, tmp_path):
    write(tmp_path / "pool", images)
    found = audit.audit(tmp_path / "pool", permutations=199)
    assert [cue.name for cue in found.cues if cue.flagged] == []
    assert found.together["p"] > 0.05


@pytest.fixture(scope="module")
def spoilt(images, tmp_path_factory):
    """Split real images whose synthetic half bears a leak of nearly every kind, as two folders."""
    folder = tmp_path_factory.mktemp("spoilt")
    for number, image in enumerate(images):
        target = folder / ("synthetic" if number % 2 else "real") / f"{number:03d}.jpg"
        target.parent.mkdir(exist_ok=True)
        if number % 2:
            image = changed(image.resize((540, 270)), lambda pixels: np.pad(0.8 * pixels + 30, 9))
            target.write_bytes(jpeg(image, 85))
        else:
            image.save(target.with_suffix(".png"))
    return folder


def build(spoilt, out, *options) -> int:
    arguments = ["pool", "--real", str(spoilt / "real"), "--synthetic", str(spoilt / "synthetic"), "--out", str(out)]
    return main([*arguments, "--count", str(EACH), str(EACH), "--size", "512", "256", "--seed", "3", *options])


def test_harmonising_removes_what_can_be_removed(spoilt, tmp_path):
    assert build(spoilt, tmp_path / "plain") == 0
    assert {"border", "brightness"} <= flagged_topics(tmp_path / "plain")
    assert build(spoilt, tmp_path / "clean", "--harmonise") == 0
    found = audit.audit(tmp_path / "clean", permutations=199)
    assert [cue.name for cue in found.cues if cue.flagged] == []
    assert found.together["p"] > 0.05


def test_the_command_writes_its_verdict_and_says_it_by_its_exit_code(images, tmp_path, capsys):
    write(tmp_path / "good", images)
    assert main(["audit", str(tmp_path / "good"), "--out", str(tmp_path / "a"), "--permutations", "99"]) == 0
    write(tmp_path / "bad", images, LEAKS["padding"][0])
    assert main(["audit", str(tmp_path / "bad"), "--out", str(tmp_path / "b"), "--permutations", "99"]) == 3
    assert "FLAGGED border: " in capsys.readouterr().out
    verdict = json.loads((tmp_path / "b/audit.json").read_text())
    assert verdict["flagged"] is True
    assert {"name", "auc", "ci", "p", "flagged", "visible"} <= set(verdict["cues"][0])
    assert {"auc", "p"} <= set(verdict["together"])
    page = (tmp_path / "b/audit.html").read_text()
    assert page.count("<img") == 8 * sum(cue["flagged"] for cue in verdict["cues"])
    assert "http" not in page


def test_what_cannot_be_audited_is_refused(images, tmp_path, capsys):
    how = {"name": "few", "seed": 1, "width": SIZE[0], "height": SIZE[1], "how": {}}
    pool.write(tmp_path / "few", [pool.Entry("real", "r", png(image)) for image in images[:6]], **how)
    with pytest.raises(InputError, match="6 real and 0 synthetic cases"):
        audit.audit(tmp_path / "few")
    write(tmp_path / "broken", images[:12])
    (tmp_path / "broken/images/case-0002.png").write_bytes(b"x")
    (tmp_path / "broken/images/case-0005.png").unlink()
    assert main(["audit", str(tmp_path / "broken"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "case-0002.png: not readable as a radiograph" in said
    assert "case-0005.png: not readable" in said


def test_a_file_changed_since_is_remarked_on(images, tmp_path):
    write(tmp_path / "pool", images)
    (tmp_path / "pool/images/case-0003.png").write_bytes(png(images[0], compress_level=6) + b"\0")
    assert audit.audit(tmp_path / "pool", permutations=99).remarks == [
        "images/case-0003.png: changed since the pool was written (its checksum differs)"
    ]


def test_the_figures_of_a_cue_are_those_of_mann_whitney_and_delong():
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2 == 1
    values = rng.normal(size=60) + truth
    cue = audit.judge({("noise", "x"): values}, truth)[0]
    test = mannwhitneyu(values[truth], values[~truth], method="asymptotic")
    assert cue.auc == pytest.approx(test.statistic / 900)
    assert cue.p == pytest.approx(test.pvalue)
    # DeLong's variance, by the definition: the kernel's means over rows and over columns.
    kernel = values[truth][:, None] > values[~truth][None, :]
    error = np.sqrt(kernel.mean(axis=1).var(ddof=1) / 30 + kernel.mean(axis=0).var(ddof=1) / 30)
    reach = 1.959964 * error / (cue.auc * (1 - cue.auc))
    expected = [1 / (1 + np.exp(-(np.log(cue.auc / (1 - cue.auc)) + sign * reach))) for sign in (-1, 1)]
    assert cue.ci == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("step", "visible"), [(0.1, False), (2.0, True)])
def test_a_difference_of_a_tenth_of_a_grey_level_is_flagged_but_seen_by_no_viewer(step, visible):
    truth = np.arange(80) >= 40
    columns = {("brightness", "contrast"): 34 + np.linspace(0, 0.01, 80) + step * truth}
    (cue,) = audit.judge(columns, truth)
    assert cue.flagged
    assert cue.visible is visible


def test_a_perfect_cue_has_newcombes_interval():
    low, high = audit.interval(np.arange(30) + 100.0, np.arange(30.0), 0.05)
    variance = low * (1 - low) * (1 + 29 * ((1 - low) / (2 - low) + low / (1 + low))) / 900
    assert high == 1.0
    assert 1 - low == pytest.approx(1.959964 * variance**0.5, rel=1e-6)
    assert audit.interval(np.arange(30.0), np.arange(30) + 100.0, 0.05) == pytest.approx((0.0, 1 - low))


def test_holm_corrects_for_the_number_of_cues():
    rng = np.random.default_rng(1)
    truth = np.arange(40) % 2 == 1
    columns = {("noise", str(n)): rng.normal(size=40) for n in range(50)} | {
        ("size", "s"): rng.normal(size=40) + 2.5 * truth
    }
    cues = audit.judge(columns, truth)
    raw = min(mannwhitneyu(v[truth], v[~truth], method="asymptotic").pvalue for v in columns.values())
    assert [cue.name for cue in cues if cue.flagged] == ["size: s"]
    assert cues[0].p == pytest.approx(51 * raw)


def test_together_the_cues_find_what_none_shows_alone():
    # The synthetic class has too much or too little of it, so that its median tells nothing.
    rng = np.random.default_rng(2)
    truth = np.arange(80) % 2 == 1
    values = np.where(truth, rng.choice([-2.0, 2.0], 80), 0.0) + rng.normal(0, 0.5, 80)
    assert not audit.judge({("noise", "x"): values}, truth)[0].flagged
    assert audit._together(values[:, None], truth, 199, 0)["p"] < 0.01
    nothing = audit._together(rng.normal(size=(80, 5)), truth, 199, 0)
    assert nothing["p"] > 0.05


def test_together_no_cue_is_judged_on_the_cases_it_was_learnt_from():
    rng = np.random.Generator(np.random.PCG64(0))
    truth = np.arange(80) % 2 == 0
    aucs = [audit._together(rng.normal(size=(80, 20)), truth, 1, seed)["auc"] for seed in range(10)]
    assert abs(np.mean(aucs) - 0.5) < 0.06  # of noise; learnt and judged on the same cases it is 1


def test_practice_cases_are_not_audited(images, tmp_path):
    entries = [pool.Entry(pool.TRUTHS[n % 2], "x", png(image)) for n, image in enumerate(images[:20])]
    entries += [pool.Entry("synthetic", "x", jpeg(images[20], 50), group=pool.PRACTICE, suffix=".jpg")]
    pool.write(tmp_path / "pool", entries, name="n", seed=1, width=SIZE[0], height=SIZE[1], how={})
    assert len(audit.audit(tmp_path / "pool", permutations=99).cases) == 20


def test_sources_that_cues_tell_apart_are_named_and_flag_no_pool():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(90, 4))
    sources = ["GAN"] * 20 + ["Diffusion"] * 20 + ["Flow"] * 20 + ["rare"] * 3 + [""] * 27
    features[20:40, 0] += 4
    pairs = {(pair["first"], pair["second"]): pair for pair in audit.between(features, sources, 199, 0)}
    assert list(pairs) == [("Diffusion", "Flow"), ("Diffusion", "GAN"), ("Flow", "GAN")]
    assert pairs["Diffusion", "GAN"]["p"] == pytest.approx(3 / 200)
    assert pairs["Flow", "GAN"]["p"] > 0.05


def test_one_of_many_sources_is_still_told_apart_by_few_permutations():
    features = np.random.default_rng(4).normal(size=(12 * 12, 4))
    features[:12, 0] += 8
    pairs = audit.between(features, np.repeat(list("ABCDEFGHIJKL"), 12), 99, 0)
    assert len(pairs) == 66
    assert {pair["first"] for pair in pairs if pair["p"] < audit.LEVEL} == {"A"}


def test_the_audit_remarks_on_sources_that_can_be_told_apart(images, tmp_path):
    write(tmp_path, images)
    table = (tmp_path / "cases.csv").read_text().splitlines()
    header = table[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in table[1:]]
    synthetic = [row for row in rows if row["truth"] == "synthetic"]
    for number, row in enumerate(synthetic):
        row["source"] = "A" if number % 2 else "B"
    lines = [",".join(header), *(",".join(row.values()) for row in rows)]
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    found = audit.audit(tmp_path, permutations=99)
    assert [(pair["first"], pair["second"]) for pair in found.as_dict()["sources"]] == [("A", "B")]
    assert not [remark for remark in found.remarks if "can be distinguished" in remark]
