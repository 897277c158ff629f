"""`python -m generation pacs`: fetch radiographs from an archive, and optionally prepare them as a corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from generation.arguments import bar, left_out, whole
from generation.pacs import MODALITIES, Archive, Query, fetch, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", required=True, help="folder for the images; run again to resume"
    )
    parser.add_argument(
        "--url", default="", help="the archive's DICOMweb address (default DISCERN_PACS_URL); user, password or token "
        "come from DISCERN_PACS_USER, DISCERN_PACS_PASSWORD and DISCERN_PACS_TOKEN"
    )  # fmt: skip
    parser.add_argument("--modality", default="PX", metavar="XX", help=f"{', '.join(MODALITIES)} ... (default PX)")
    parser.add_argument("--since", default="", metavar="YYYYMMDD", help="studies from this date on")
    parser.add_argument("--until", default="", metavar="YYYYMMDD", help="studies up to this date")
    parser.add_argument("--description", default="", metavar="WORDS", help="words in the study's description")
    parser.add_argument(
        "--limit", type=whole(1), default=200, metavar="N", help="maximum number of images (default 200)"
    )
    parser.add_argument("--count", action="store_true", help="only count the matching images")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="prepare the images as a corpus, as `corpus` does")


def run(args: argparse.Namespace) -> int:
    archive = Archive.from_environment(args.url)
    query = Query(args.modality.upper(), args.since, args.until, args.description, args.limit)
    if args.count:
        print(f"{len(find(archive, query))} images match")
        return 0
    with bar("images fetched") as progress:
        told = fetch(archive, query, args.out, progress)
    print(f"{args.out}: {told['images']} images, {told['new']} of them new")
    faults = list(told["left_out"])
    if args.corpus and told["images"]:
        from generation import corpus

        with bar("radiographs prepared") as progress:
            summary = corpus.prepare(args.out / "dicom", args.corpus, progress=progress)
        print(f"{args.corpus}: {summary['images']} images of {summary['distinct']} distinct radiographs")
        faults += summary["unusable"]
    return left_out(faults)
