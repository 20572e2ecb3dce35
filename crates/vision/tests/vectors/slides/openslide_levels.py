"""Digests of whole levels as OpenSlide 4.0.1 (openslide-python, openslide-bin) and tifffile give them.

usage: openslide_levels.py FOLDER > openslide_levels.tsv
"""
import hashlib
import pathlib
import sys

import numpy
import openslide
import tifffile

JPEG_AND_NATIVE = [
    "CMU-1-Small-Region.svs",
    "CMU-1-Small-Region_wsidicomizer.dcm",
    "boxes.tiff",
    "highdicom_sm_image.dcm",
    "highdicom_sm_image_numbers.dcm",
    "small.svs",
    "synth_pyramid.ome.tif",
    "synth_ycbcr420.tif",
]


def row(name, level, source, pixels):
    pixels = numpy.ascontiguousarray(pixels)
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    print(name, level, pixels.shape[1], pixels.shape[0], source, digest, sep="\t")


def main():
    folder = pathlib.Path(sys.argv[1])
    print("# OpenSlide", openslide.__library_version__)
    for name in JPEG_AND_NATIVE:
        slide = openslide.OpenSlide(folder / name)
        for level, size in enumerate(slide.level_dimensions):
            region = slide.read_region((0, 0), level, size).convert("RGB")
            row(name, level, "openslide", numpy.asarray(region))
    # OpenSlide shows the first level of an OME-TIFF; its SubIFDs are decoded by tifffile's libjpeg-turbo.
    with tifffile.TiffFile(folder / "synth_pyramid.ome.tif") as tiff:
        for level, page in list(enumerate(tiff.series[0].levels))[1:]:
            row("synth_pyramid.ome.tif", level, "tifffile", page.asarray())


main()
