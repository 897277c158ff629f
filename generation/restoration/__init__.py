"""Degradation and restoration of radiographs, after DiffusionXRay (arXiv 2603.01686).

There is one interface: `degrade(good, rng) -> poor` makes an image `scale` times smaller and degrades it,
`restore(poor) -> good` restores it. `fidelity` measures how close the result is to the original.
"""
