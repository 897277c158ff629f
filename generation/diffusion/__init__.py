"""Low-resolution radiographs by diffusion: networks, noise schedules, checkpoints, sampling."""
