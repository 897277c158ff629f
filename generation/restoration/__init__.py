"""Good radiographs made poor, and poor ones made good again, after DiffusionXRay (arXiv 2603.01686).

One interface: `degrade(good, rng) -> poor` makes a picture `scale` times smaller and worse, `restore(poor) -> good`
brings it back. `fidelity` says how near what came back is to what was there.
"""
