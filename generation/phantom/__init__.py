"""Procedural panoramic radiographs for demonstrations and tests. No person was exposed for them.

There are two kinds: `real` phantoms are anatomically correct within limits, `synthetic` ones imitate a generator's
output and have one to three of its usual faults (`generation.phantom.faults`). Film, noise and exposure are drawn in
the same way for both, so that only the anatomy distinguishes them. Every phantom is labelled as one in its corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from generation import pool
from generation.known_faults import KnownFault
from generation.phantom import faults, film, skull, teeth

WIDTH, HEIGHT = skull.WIDTH, skull.HEIGHT


def draw(seed: int, truth: str) -> np.ndarray:
    """Draw one phantom, uint8 (512, 1024); the same seed gives the same mouth, film and pixels.

    truth: `real` or `synthetic`; raises ValueError for any other value.
    """
    return draw_with(seed, chosen(seed, truth))[0]


def chosen(seed: int, truth: str) -> list[faults.Fault]:
    """The faults of the phantom with this seed; none if truth is `real`. Raises ValueError for an unknown truth."""
    if truth not in pool.TRUTHS:
        raise ValueError(f"truth is {truth!r}, expected real or synthetic")
    return faults.choose(_generators(seed)[3]) if truth == "synthetic" else []


def draw_with(seed: int, wrong: list[faults.Fault]) -> tuple[np.ndarray, list[KnownFault]]:
    """Draw the phantom of a seed, uint8 (512, 1024), with these faults; also return their ellipses."""
    patient, mouth, bone, _, machine = _generators(seed)
    head = skull.head(patient)
    attenuation, spongy = skull.draw(patient, head)
    tooth_row, in_teeth = faults.in_teeth(wrong, teeth.dentition(mouth, head))
    texture, in_texture = faults.in_texture(wrong, skull.trabeculae(bone))
    texture = texture * spongy
    teeth.add(attenuation, texture, tooth_row)
    attenuation += bone.uniform(0.035, 0.065) * texture
    attenuation, in_film = faults.in_film(wrong, attenuation, head.middle)
    return film.develop(machine, attenuation), [*in_teeth, *in_texture, *in_film]


def _generators(seed: int) -> list[np.random.Generator]:
    """Return the generators of patient, mouth, bone, faults and machine."""
    return [np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(5)]


def make_pool(
    folder: str | Path,
    real: int = 100,
    synthetic: int = 100,
    practice: int = 6,
    seed: int = 0,
    name: str = "Demonstration phantoms",
    progress: pool.Progress | None = None,
) -> pool.Pool:
    """Draw a pool of phantoms on all cores: scored cases of both classes, and practice cases alternating between them.

    The pool depends only on the arguments, and its faults.json has the places of the faults. Raises InputError if
    `folder` is not empty or cannot be written.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    plan = [("real", "")] * real + [("synthetic", "")] * synthetic
    plan += [(pool.TRUTHS[number % 2], pool.PRACTICE) for number in range(practice)]
    order, seeds = rng.permutation(len(plan)), rng.integers(2**62, size=len(plan))

    def entries() -> Iterator[pool.Entry]:
        images = Parallel(n_jobs=-1, return_as="generator")(
            delayed(_encoded)(int(seeds[place]), plan[number][0]) for place, number in enumerate(order)
        )
        for place, (image, known) in enumerate(images):
            truth, group = plan[order[place]]
            yield pool.Entry(truth, "phantom", image, group, faults=known)
            if progress is not None:
                progress(place + 1, len(plan))

    how = {
        "real": "procedural phantoms without faults",
        "synthetic": f"procedural phantoms, each with one to three of these faults: {', '.join(faults.KINDS)}",
    }
    return pool.write(folder, entries(), name=name, seed=seed, width=WIDTH, height=HEIGHT, how=how, phantom=True)


def _encoded(seed: int, truth: str) -> tuple[bytes, tuple[KnownFault, ...]]:
    pixels, known = draw_with(seed, chosen(seed, truth))
    return pool.encode(pixels), tuple(known)
