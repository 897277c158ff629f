"""Super-resolution from 256 x 128 to 1024 x 512: network, training losses, and upscaling of a folder of images."""
