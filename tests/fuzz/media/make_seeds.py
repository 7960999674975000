#!/usr/bin/env python3
"""Writes the seeds of this folder: EXIF blocks, sound and hostile, and broken pictures.

Needs the pictures of tests/golden/media and nothing but Python. Run it in this folder.
SPDX-License-Identifier: Apache-2.0
"""
import os
import struct
import zlib

GOLDEN = "../../golden/media/files/"


def ifd(entries, extra=b"", e="<", at=8, next_ifd=0):
    """entries: (tag, type, count, value), value packed here or an offset."""
    out = struct.pack(e + "H", len(entries))
    for tag, kind, count, value in entries:
        if isinstance(value, bytes):
            value = value.ljust(4, b"\0")[:4]
        else:
            value = struct.pack(e + "I", value)
        out += struct.pack(e + "HHI", tag, kind, count) + value
    return out + struct.pack(e + "I", next_ifd) + extra


def tiff(body, e="<", first=8):
    return (b"II*\0" if e == "<" else b"MM\0*") + struct.pack(e + "I", first) + body


def exif_seeds():
    def jpeg_exif(name):
        data = open(GOLDEN + name, "rb").read()
        at = data.index(b"Exif\0\0")
        n = struct.unpack(">H", data[at - 2:at])[0] - 2
        return data[at:at + n]

    yield "rich", jpeg_exif("rich.jpg")
    yield "orientation", jpeg_exif("o6.jpg")
    yield "tiff", open(GOLDEN + "o3.tif", "rb").read()
    yield "big_endian", tiff(ifd([(274, 3, 1, b"\0\x08"), (271, 2, 4, b"abc\0")], e=">"), e=">")
    yield "no_header", b"Exif\0\0whatever"
    yield "empty", b""
    yield "first_is_itself", tiff(ifd([(34665, 4, 1, 8), (34853, 4, 1, 8)], next_ifd=8))
    yield "huge_count", tiff(ifd([(271, 2, 0xFFFFFFFF, 8), (270, 5, 0x20000000, 8), (272, 12, 0x7FFFFFFF, 4)]))
    yield "offset_out", tiff(ifd([(271, 2, 100, 0xFFFFFFF0), (34665, 4, 1, 0xFFFFFFFF), (34853, 4, 1, 1000000)]))
    yield "negative", tiff(ifd([(274, 9, 1, b"\xff\xff\xff\xff"), (34665, 9, 1, b"\xf8\xff\xff\xff"), (270, 10, 1, 0)]))
    yield "many_entries", tiff(struct.pack("<H", 0xFFFF) + b"\x01\0\x03\0\x01\0\0\0\0\0\0\0" * 2000)
    yield "long_texts", tiff(ifd([(0xC000 + i, 7, 8000, 10 + 12 * 40) for i in range(40)], extra=b"\x01" * 8200))
    gps = struct.pack("<6I", 91, 1, 0, 1, 0, 1) + struct.pack("<6I", 10, 0, 0, 0, 0, 0)
    at = 8 + 2 + 12 + 4
    yield "gps_out_of_range", tiff(ifd([(34853, 4, 1, at)], extra=ifd(
        [(1, 2, 2, b"N\0"), (2, 5, 3, at + 54), (3, 2, 2, b"E\0"), (4, 5, 3, at + 78)]) + gps))
    yield "dates", tiff(ifd([(34665, 4, 1, at)], extra=ifd(
        [(36867, 2, 20, at + 30), (36868, 2, 20, at + 50)]) + b"2021:02:30 12:00:00\0" + b"2021:02:28 12:00:00\0"))


def chunk(kind, data, crc=None):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def bad_seeds():
    sig = b"\x89PNG\r\n\x1a\n"
    ihdr = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    yield "huge.png", sig + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"\0" * 100000, 9)) + chunk(b"IEND", b"")
    rgb = open(GOLDEN + "rgb.png", "rb").read()
    at = rgb.index(b"IDAT")
    n = struct.unpack(">I", rgb[at - 4:at])[0]
    yield "wrong_crc.png", rgb[:at + 4 + n] + b"\x12\x34\x56\x78" + rgb[at + 8 + n:]
    body = bytearray(rgb[at + 4:at + 4 + n])
    body[n // 2] ^= 0x55
    yield "damaged_data.png", rgb[:at - 4] + chunk(b"IDAT", bytes(body)) + chunk(b"IEND", b"")
    gif = b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    gif += b"\x2c" + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0) + b"\x02\x02\x4c\x01\0;"
    yield "bomb.gif", gif
    frames = b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frames += (b"\x2c" + struct.pack("<HHHHB", 0, 0, 4000, 4000, 0) + b"\x02\x02\x4c\x01\0") * 2000 + b";"
    yield "many_frames.gif", frames[:20000] + b"\0;"
    jpeg = open(GOLDEN + "o1.jpg", "rb").read()
    sof = jpeg.index(b"\xff\xc0")
    yield "huge.jpg", jpeg[:sof + 5] + struct.pack(">HH", 65535, 65535) + jpeg[sof + 9:]
    yield "no_frame.jpg", jpeg[:sof] + b"\xff\xd9"
    yield "zero_size.jpg", jpeg[:sof + 5] + struct.pack(">HH", 0, 0) + jpeg[sof + 9:]
    prog = open(GOLDEN + "progressive.jpg", "rb").read()
    sos = prog.rindex(b"\xff\xda")
    yield "many_scans.jpg", prog[:-2] + prog[sos:-2] * 200 + b"\xff\xd9"
    head = jpeg.index(b"\xff\xda")
    middle = (head + len(jpeg)) // 2
    yield "damaged_data.jpg", jpeg[:middle] + b"\0" * 60 + jpeg[middle + 60:]
    for name, at in (("lzw.tif", 700), ("lossless.webp", 60), ("still.gif", 230)):
        data = bytearray(open(GOLDEN + name, "rb").read())
        data[at:at + 24] = b"\xff" * 24
        yield "damaged_" + name, bytes(data)
    yield "brand_only.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    heic = bytearray(open(GOLDEN + "plain.heic", "rb").read())
    at = heic.index(b"ispe") + 8
    heic[at:at + 8] = struct.pack(">II", 60000, 60000)
    yield "huge.heic", bytes(heic)


def main():
    for folder, seeds in (("exif", exif_seeds), ("bad", bad_seeds)):
        os.makedirs(folder, exist_ok=True)
        for name, data in seeds():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


main()
