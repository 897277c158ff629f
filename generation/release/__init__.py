"""A release of synthetic images as a reusable data set.

    README.md       the card: content, origin, and what it must not be used for
    DATASHEET.md    a datasheet (Gebru et al., 2021)
    croissant.json  the same for machines: Croissant 1.0, JSON-LD
    images.csv      image,shard,seed,distance,sha256,width,height
    excluded.csv    number,seed,reason,distance,correlation of the images that were left out
    shards/         the images, 00000.tar and so on
    release.json    the settings that determine the images
    SHA256SUMS      checksums of all these files, for `sha256sum -c`

Images are made, screened and stored a few at a time, so that memory does not grow with their number.
"""
