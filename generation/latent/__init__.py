"""Low-resolution radiographs by diffusion in a small learnt space: autoencoder, denoiser, and their training."""
