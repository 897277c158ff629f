"""From 256 x 128 to 1024 x 512: the network, its training losses, and upscaling a folder of images."""
