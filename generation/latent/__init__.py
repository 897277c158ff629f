"""Low-resolution radiographs by latent diffusion: autoencoder, denoiser, and their training."""
