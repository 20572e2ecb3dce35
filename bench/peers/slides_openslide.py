"""Slides through openslide-python and Pillow, for `blindscope bench slides`.

pip install openslide-python openslide-bin pillow numpy

slides_openslide.py pixels FILE LEVEL OUT         whole level as RGB bytes
slides_openslide.py tiles FILE LEVEL READ SIDE OUT  tiles whose corners `x y` come on stdin, normalised, float32 [n, 3, SIDE, SIDE]
slides_openslide.py speed FILE LEVEL READ SIDE ROUNDS  tiles a second, decoded and resampled, one thread, best of the rounds

Each prints one JSON object.
"""
import json
import sys
import time

import numpy
import openslide
from PIL import Image

MEAN = numpy.array([0.485, 0.456, 0.406], dtype=numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], dtype=numpy.float32)


def tile(slide, corner, level, read, side):
    region = slide.read_region(corner, level, (read, read)).convert("RGB")
    return region if read == side else region.resize((side, side), Image.Resampling.BICUBIC)


def corners():
    return [tuple(map(int, line.split())) for line in sys.stdin if line.strip()]


def pixels(slide, level, out):
    region = slide.read_region((0, 0), level, slide.level_dimensions[level]).convert("RGB")
    numpy.asarray(region).tofile(out)
    return {"width": region.width, "height": region.height}


def tiles(slide, level, read, side, out):
    with open(out, "wb") as file:
        count = 0
        for corner in corners():
            values = numpy.asarray(tile(slide, corner, level, read, side), dtype=numpy.float32) / numpy.float32(255)
            ((values - MEAN) / STD).transpose(2, 0, 1).tofile(file)
            count += 1
    return {"tiles": count}


def speed(path, level, read, side, rounds):
    places = corners()
    best = None
    for _ in range(rounds):
        # A fresh handle: the cache of the last round would answer otherwise.
        slide = openslide.OpenSlide(path)
        begin = time.process_time()
        for corner in places:
            numpy.asarray(tile(slide, corner, level, read, side))
        taken = time.process_time() - begin
        best = taken if best is None else min(best, taken)
        slide.close()
    return {"tiles_per_second": len(places) / best}


def main():
    kind, path, level, *rest = sys.argv[1:]
    level = int(level)
    if kind == "speed":
        answer = speed(path, level, *map(int, rest))
    elif kind == "tiles":
        read, side, out = rest
        answer = tiles(openslide.OpenSlide(path), level, int(read), int(side), out)
    else:
        answer = pixels(openslide.OpenSlide(path), level, *rest)
    answer["openslide"] = openslide.__library_version__
    json.dump(answer, sys.stdout)


main()
