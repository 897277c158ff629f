"""Machine-readable description: Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generation.files import sha256
from generation.release.documents import DISCERN, Facts

VERSION = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {  # from the specification
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
COLUMNS = {  # of images.csv: type, meaning
    "image": ("sc:Text", "Name of the file within its shard"),
    "shard": ("sc:Text", "Name of the tar file that contains it"),
    "seed": ("sc:Text", "Seed of its noise, 64 bits"),
    "distance": ("sc:Float", "Cosine distance of its features to those of the nearest training image"),
    "sha256": ("sc:Text", "SHA-256 of the PNG"),
    "width": ("sc:Integer", "px"),
    "height": ("sc:Integer", "px"),
}


def metadata(facts: Facts, folder: Path, shards: Sequence[Path]) -> str:
    """Return croissant.json: tables and shards with checksums, and one record per image that links them."""
    own = facts.settings
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": "".join(sign if sign.isalnum() else "-" for sign in facts.title.lower()),
        "alternateName": facts.title,
        "description": f"{facts.kept} synthetic radiographs made by {DISCERN}, screened against the images"
        f" that the network was trained on; {facts.made - facts.kept} were left out. Not for diagnosis.",
        "license": own["licence"],
        "creator": {"@type": "sc:Organization", "name": own["creator"]},
        "datePublished": facts.date,
        "version": "1.0.0",
        **({"url": own["url"]} if own["url"] else {}),
        "citeAs": f"{own['creator']}: {facts.title}, {facts.date[:4]}",
        "keywords": ["radiograph", "synthetic", "observer study"],
        "rai:dataCollection": f"Sampled from a diffusion network ({own['sampler']}, {own['steps']} steps).",
        "rai:dataUseCases": "Observer studies, teaching, tests of software. Not for diagnosis.",
        "rai:personalSensitiveInformation": "No person was radiographed for it. The network was trained on radiographs"
        " of people; copies of these were left out.",
        "distribution": [
            _file("images.csv", folder / "images.csv", "text/csv"),
            *(_file(f"shards/{shard.name}", shard, "application/x-tar") for shard in shards),
            {
                "@type": "cr:FileSet",
                "@id": "pngs",
                "name": "pngs",
                "description": "The images from all shards",
                "containedIn": [{"@id": f"shards/{shard.name}"} for shard in shards],
                "encodingFormat": "image/png",
                "includes": "*.png",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "images",
                "name": "images",
                "description": "One record per image",
                "key": {"@id": "images/image"},
                "field": [*_columns(), _picture()],
            }
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _file(name: str, path: Path, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": sha256(path),
    }


def _columns() -> list[dict[str, Any]]:
    """Return the columns of images.csv; `image` is the name of the PNG, which links row and image."""
    fields = []
    for name, (kind, meaning) in COLUMNS.items():
        row = {"fileObject": {"@id": "images.csv"}, "extract": {"column": name}}
        joined = {"source": _of_png("filename"), "references": row} if name == "image" else {"source": row}
        fields.append(_field(name, kind, meaning) | joined)
    return fields


def _picture() -> dict[str, Any]:
    return _field("picture", "sc:ImageObject", "The image itself") | {"source": _of_png("content")}


def _field(name: str, kind: str, meaning: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"images/{name}", "name": name, "description": meaning, "dataType": kind}


def _of_png(what: str) -> dict[str, Any]:
    return {"fileSet": {"@id": "pngs"}, "extract": {"fileProperty": what}}
