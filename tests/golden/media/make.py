#!/usr/bin/env python3
"""Draws the small pictures of this folder and writes what Pillow makes of them to expected.json.

Needs Pillow (with AVIF), pillow-heif and numpy; the versions used stand in expected.json.
Run it in this folder. The tests need only its results.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import io
import json
import math
import os
import struct
import zlib

import numpy as np
import PIL
import pillow_heif
from PIL import ExifTags, Image, ImageCms, ImageDraw, ImageOps, features

W, H = 41, 27
OUT = "files"
DATE, DATE2, ORIENTATION = 36867, 36868, 274
expected = {}


def scene(w=W, h=H):
    """A picture without any symmetry."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * 255 // (w - 1), y * 255 // (h - 1), (x * 3 + y * 5) % 256], axis=-1).astype(np.uint8)
    im = Image.fromarray(a)
    d = ImageDraw.Draw(im)
    d.rectangle([3, 2, 14, 8], fill=(230, 20, 30))
    d.ellipse([22, 10, 38, 24], fill=(20, 60, 220))
    d.polygon([(5, 25), (12, 12), (19, 25)], fill=(250, 240, 60))
    return im


def alpha_mask(w=W, h=H):
    y, x = np.mgrid[0:h, 0:w]
    return Image.fromarray(((x * 6 + y * 9) % 256).astype(np.uint8))


def exif(orientation=None, rich=False):
    e = Image.Exif()
    if orientation:
        e[ORIENTATION] = orientation
    if rich:
        e[271] = "Testmaker \0"
        e[272] = "  Model \u00e9 9000  "
        e[270] = "A small drawing"
        e[282] = 72.5
        e[296] = 2
        e[306] = "1999:01:01 00:00:00"
        e[315] = "Someone"
        e[33432] = "nobody"
        e[40091] = "Title".encode("utf-16le")
        e[18246] = 4
        e[318] = (0.3127, 0.329)
        e[64000] = 77
        sub = e.get_ifd(0x8769)
        sub[DATE] = "2021:07:04 12:34:56"
        sub[DATE2] = "2021:07:05 00:00:00"
        gps = e.get_ifd(0x8825)
        gps[0] = b"\2\3\0\0"
        gps[1], gps[2] = "S", (33.0, 51.0, 24.5)
        gps[3], gps[4] = "E", (151.0, 12.0, 40.25)
    return e


# --- profiles -------------------------------------------------------------------------------------

def s15(v):
    return struct.pack(">i", round(v * 65536))


def icc(space, tags, klass=b"mntr", pcs=b"XYZ "):
    head = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", head + len(body), len(data))
        body += data
    size = head + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, klass, space, pcs)
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += s15(0.9642) + s15(1.0) + s15(0.8249)
    header += b"\0" * (128 - len(header))
    return header + struct.pack(">I", len(tags)) + table + body


def xyz(v):
    return b"XYZ \0\0\0\0" + b"".join(s15(c) for c in v)


def gamma_curve(g):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(g * 256))


def srgb_curve():
    x = np.arange(1024) / 1023
    y = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(y * 65535).astype(">u2").tobytes()


def para_curve():
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(
        s15(v) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))


def text(s):
    raw = s.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(raw)) + raw + b"\0" * (4 + 4 + 2 + 1 + 67)


def rgb_profile(name, colorants, curve):
    return icc(b"RGB ", [(b"desc", text(name)), (b"cprt", b"text\0\0\0\0none\0"), (b"wtpt", xyz((0.9642, 1, 0.8249)))]
               + [(t, xyz(c)) for t, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants)]
               + [(t, curve) for t in (b"rTRC", b"gTRC", b"bTRC")])


P3 = rgb_profile("wide", [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)],
                 para_curve())
ADOBE = rgb_profile("wide, gamma 2.2", [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087),
                                        (0.14919, 0.06322, 0.74457)], gamma_curve(2.19921875))
SRGB_COLORANTS = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
SRGB = rgb_profile("plain", SRGB_COLORANTS, srgb_curve())
SRGB_PARA = rgb_profile("plain", SRGB_COLORANTS, para_curve())


def cmyk_profile():
    """A lookup table with two points a side: ink takes Lab lightness away, C, M and Y tint."""
    clut = b""
    for i in range(16):
        c, m, y, k = i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1
        light = (1 - 0.25 * (c + m + y)) * (1 - k)
        tint = 1 - k
        clut += bytes([round(light * 255), 128 + tint * (60 * m - 50 * c), 128 + tint * (70 * y - 40 * c)])
    table = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0])
    lut += b"".join(s15(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)) + table * 4 + clut + table * 3
    return icc(b"CMYK", [(b"desc", text("inks")), (b"cprt", b"text\0\0\0\0none\0"), (b"wtpt", xyz((0.9642, 1, 0.8249))),
                         (b"A2B0", lut)], klass=b"prtr", pcs=b"Lab ")


# --- files ----------------------------------------------------------------------------------------

def png16(a, colour_type):
    h, w = a.shape[:2]
    raw = b"".join(b"\0" + a[y].astype(">u2").tobytes() for y in range(h))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def interlaced_png(im):
    a = np.asarray(im)
    h, w = a.shape[:2]
    raw = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = a[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 1))
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def thumb_size(im):
    t = im.copy()
    t.thumbnail((16, 16), Image.LANCZOS, reducing_gap=None)
    return t


def grid(im):
    """Mean colours of 4 x 4 patches, pixels on a border counted by their share."""
    a = np.asarray(im).astype(float)
    means = []
    for i in range(4):
        for j in range(4):
            wy, wx = (np.clip(np.minimum(np.arange(n) + 1, (k + 1) * n / 4) - np.maximum(np.arange(n), k * n / 4), 0, None)
                      for n, k in ((a.shape[0], i), (a.shape[1], j)))
            w = wy[:, None, None] * wx[None, :, None]
            means += np.rint((a * w).sum((0, 1)) / w.sum()).astype(int).tolist()
    return means


def dhash(im):
    a = np.asarray(im.convert("L").resize((9, 8), Image.LANCZOS)).astype(int)
    bits = (a[:, :8] > a[:, 1:]).reshape(-1)
    return "%016x" % int("".join("1" if b else "0" for b in bits), 2)


def to_float(v):
    if isinstance(v, (bytes, bytearray)):
        return v.decode("utf-8", "ignore").replace("\0", "").strip()
    if isinstance(v, str):
        return v.replace("\0", "").strip()
    if isinstance(v, tuple):
        return [to_float(x) for x in v]
    if isinstance(v, int):
        return v
    v = float(v)
    return v if math.isfinite(v) else None


def exif_facts(im):
    e = im.getexif()
    skip = {0x8769, 0x8825, 273, 279, 288, 289, 320, 324, 325, 330, 700, 34675, 33723, 34377}
    tags = {ExifTags.TAGS.get(k, str(k)): to_float(v) for k, v in e.items() if k not in skip}
    facts = {"tags": tags}
    sub, gps = e.get_ifd(0x8769), e.get_ifd(0x8825)
    date = sub.get(DATE) or sub.get(DATE2)
    if date:
        facts["taken_at"] = date
    if all(k in gps for k in (1, 2, 3, 4)):
        deg = [sum(float(v) / 60 ** i for i, v in enumerate(gps[k])) for k in (2, 4)]
        facts["gps"] = [deg[0] * (-1 if gps[1] == "S" else 1), deg[1] * (-1 if gps[3] == "W" else 1)]
    for key, tag in (("make", 271), ("model", 272)):
        if tag in e:
            facts[key] = to_float(e[tag])
    return facts


def put(name, data, fmt, rgb=None, exact=True, pages=1, orientation=1, alpha=None, profile=None, bits=8,
        exif_of=None, has_alpha=None, hide_exif=False):
    """rgb: the oriented pixels when Pillow's own conversion is not what we want."""
    path = os.path.join(OUT, name)
    with open(path, "wb") as f:
        f.write(data)
    im = Image.open(io.BytesIO(data))
    facts = {} if hide_exif else exif_facts(im)
    if rgb is None:
        rgb = ImageOps.exif_transpose(im).convert("RGB")
    entry = {"format": fmt, "width": rgb.width, "height": rgb.height, "pages": pages, "orientation": orientation,
             "exact": exact, "grid": grid(rgb), "dhash": dhash(rgb), "bits": bits, "has_alpha": alpha is not None,
             "exif": facts}
    if has_alpha is not None:
        entry["has_alpha"] = has_alpha
    if exact:
        entry["rgb_sha256"] = hashlib.sha256(rgb.tobytes()).hexdigest()
    if alpha is not None:
        entry["alpha_sha256"] = hashlib.sha256(alpha.tobytes()).hexdigest()
    flat = rgb
    if alpha is not None:
        flat = Image.new("RGB", rgb.size, (255, 255, 255))
        flat.paste(rgb, mask=alpha)
    t = thumb_size(flat)
    entry["thumb_size"] = list(t.size)
    if profile is not None:
        t = ImageCms.profileToProfile(t, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"))
    b = io.BytesIO()
    t.save(b, "JPEG", quality=85, optimize=True)
    t = Image.open(b).convert("RGB")
    entry["thumb_grid"] = grid(t)
    if exact and profile is None:
        entry["thumb_sha256"] = hashlib.sha256(t.tobytes()).hexdigest()
    if profile is not None:
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(rgb, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
        entry["srgb"] = np.asarray(converted).reshape(-1, 3)[:64].reshape(-1).tolist()
    expected[name] = entry


def save(im, fmt, **kw):
    b = io.BytesIO()
    im.save(b, fmt, **kw)
    return b.getvalue()


def jpegs():
    im = scene()
    for o in range(1, 9):
        put(f"o{o}.jpg", save(im, "JPEG", quality=88, exif=exif(o)), "JPEG", orientation=o)
    put("rich.jpg", save(im, "JPEG", quality=80, exif=exif(6, rich=True)), "JPEG", orientation=6)
    put("s444.jpg", save(im, "JPEG", quality=92, subsampling=0), "JPEG")
    put("s422.jpg", save(im, "JPEG", quality=92, subsampling=1), "JPEG")
    put("s411.jpg", save(im, "JPEG", quality=92, subsampling="4:1:1"), "JPEG")
    put("wide.jpg", save(scene(200, 33), "JPEG", quality=85), "JPEG")
    put("tall.jpg", save(scene(33, 150), "JPEG", quality=85, exif=exif(7)), "JPEG", orientation=7)
    put("progressive.jpg", save(im, "JPEG", quality=90, progressive=True), "JPEG")
    put("restart.jpg", save(im, "JPEG", quality=90, restart_marker_blocks=2), "JPEG")
    put("rgb.jpg", save(im, "JPEG", quality=90, keep_rgb=True), "JPEG")
    put("grey.jpg", save(im.convert("L"), "JPEG", quality=90), "JPEG")
    put("cmyk.jpg", save(im.convert("CMYK"), "JPEG", quality=90), "JPEG")
    inks = cmyk_profile()
    cmyk = save(im.convert("CMYK"), "JPEG", quality=90, icc_profile=inks)
    decoded = Image.open(io.BytesIO(cmyk))
    srgb = ImageCms.profileToProfile(decoded, ImageCms.ImageCmsProfile(io.BytesIO(inks)), ImageCms.createProfile("sRGB"),
                                     outputMode="RGB")
    put("cmyk_icc.jpg", cmyk, "JPEG", rgb=srgb, exact=False)
    put("p3.jpg", save(im, "JPEG", quality=92, icc_profile=P3), "JPEG", profile=P3)
    put("adobe.jpg", save(im, "JPEG", quality=92, icc_profile=ADOBE, exif=exif(8)), "JPEG", profile=ADOBE, orientation=8)
    put("srgb.jpg", save(im, "JPEG", quality=92, icc_profile=SRGB), "JPEG")
    put("srgb_para.jpg", save(im, "JPEG", quality=92, icc_profile=SRGB_PARA), "JPEG")
    put("bad_icc.jpg", save(im, "JPEG", quality=92, icc_profile=P3[:60] + b"\xff" * 200), "JPEG")
    put("bad_exif.jpg", save(im, "JPEG", quality=92, exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
                             b"\x0f\x01\x02\0\xff\xff\xff\x7f\x10\0\0\0\0\0\0\0"), "JPEG", orientation=6, hide_exif=True)


def pngs():
    im, mask = scene(), alpha_mask()
    rgba = im.copy()
    rgba.putalpha(mask)
    put("rgb.png", save(im, "PNG"), "PNG")
    put("rgba.png", save(rgba, "PNG"), "PNG", alpha=mask)
    opaque = im.copy()
    opaque.putalpha(255)
    put("opaque.png", save(opaque, "PNG"), "PNG", has_alpha=True)
    la = Image.merge("LA", (im.convert("L"), mask))
    put("la.png", save(la, "PNG"), "PNG", alpha=mask)
    put("grey.png", save(im.convert("L"), "PNG"), "PNG")
    put("bilevel.png", save(im.convert("1"), "PNG"), "PNG", bits=1)
    p = im.convert("P", palette=Image.ADAPTIVE, colors=16)
    put("palette.png", save(p, "PNG"), "PNG", bits=4)
    p255 = im.convert("P", palette=Image.ADAPTIVE, colors=64)
    trns = bytes((i * 37) % 256 for i in range(64))
    b = io.BytesIO()
    p255.save(b, "PNG", transparency=trns)
    alpha = p255.point(list(trns) + [255] * 192, "L")
    put("palette_alpha.png", b.getvalue(), "PNG", alpha=alpha)
    put("interlaced.png", interlaced_png(im), "PNG")
    put("o6.png", save(rgba, "PNG", exif=exif(6)), "PNG", orientation=6,
        rgb=im.transpose(Image.ROTATE_270), alpha=mask.transpose(Image.ROTATE_270))
    put("p3.png", save(im, "PNG", icc_profile=P3), "PNG", profile=P3)
    y, x = np.mgrid[0:H, 0:W]
    deep = np.stack([x * 1598 + 77, y * 2400 + 130, (x * y * 59) % 65536], axis=-1)
    high = Image.fromarray((deep >> 8).astype(np.uint8))
    put("rgb16.png", png16(deep, 2), "PNG", rgb=high, bits=16)
    a16 = np.concatenate([deep, (x * 1500 + y * 100 + 50)[..., None]], axis=-1)
    put("rgba16.png", png16(a16, 6), "PNG", rgb=high, bits=16, alpha=Image.fromarray((a16[..., 3] >> 8).astype(np.uint8)))
    g16 = Image.fromarray((deep[..., 0] >> 8).astype(np.uint8)).convert("RGB")
    put("grey16.png", png16(deep[..., :1], 0), "PNG", rgb=g16, bits=16)


def others():
    im, mask = scene(), alpha_mask()
    rgba = im.copy()
    rgba.putalpha(mask)
    put("lossy.webp", save(im, "WEBP", quality=80), "WebP")
    put("lossless.webp", save(im, "WEBP", lossless=True), "WebP")
    put("alpha.webp", save(rgba, "WEBP", lossless=True, exact=True), "WebP", alpha=mask)
    put("o8.webp", save(im, "WEBP", lossless=True, exif=exif(8, rich=True)), "WebP", orientation=8)
    frames = [im, im.transpose(Image.ROTATE_180), im.convert("L").convert("RGB")]
    put("animated.webp", save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), "WebP", pages=3,
        has_alpha=True)  # the loaders give the canvas of an animation an alpha channel
    put("still.gif", save(im.convert("P", palette=Image.ADAPTIVE, colors=64), "GIF"), "GIF")
    gifs = [f.convert("P", palette=Image.ADAPTIVE, colors=32) for f in frames]
    put("animated.gif", save(gifs[0], "GIF", save_all=True, append_images=gifs[1:], duration=100), "GIF", pages=3,
        has_alpha=True)
    put("lzw.tif", save(im, "TIFF", compression="tiff_lzw"), "TIFF")
    tiff_exif = exif(3)
    tiff_exif[271] = "Scanner"
    put("o3.tif", save(im, "TIFF", compression="tiff_adobe_deflate", exif=tiff_exif), "TIFF", orientation=3)
    put("rgba.tif", save(rgba, "TIFF"), "TIFF", alpha=mask)
    put("cmyk.tif", save(im.convert("CMYK"), "TIFF", compression="tiff_lzw"), "TIFF")
    put("group4.tif", save(im.convert("1"), "TIFF", compression="group4"), "TIFF", bits=1)
    put("palette.tif", save(im.convert("P", palette=Image.ADAPTIVE, colors=16), "TIFF"), "TIFF")
    g16 = (np.asarray(im.convert("L")).astype(np.uint16) << 8) + 99
    put("grey16.tif", save(Image.fromarray(g16), "TIFF"), "TIFF", rgb=im.convert("L").convert("RGB"), bits=16)
    put("pages.tif", save(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw"), "TIFF",
        pages=3)
    # HEIC and AVIF: decoders differ by a step or two, and libheif turns the picture itself
    pillow_heif.register_heif_opener()
    big = scene(66, 44)
    heif = pillow_heif.from_pillow(big)
    b = io.BytesIO()
    heif.save(b, quality=90, chroma=444)
    put("plain.heic", b.getvalue(), "HEIC", rgb=big, exact=False)
    b = io.BytesIO()
    pillow_heif.from_pillow(big).save(b, quality=90, chroma=444, exif=exif(6, rich=True).tobytes())
    put("rich.heic", b.getvalue(), "HEIC", rgb=big.transpose(Image.ROTATE_270), exact=False)
    put("plain.avif", save(big, "AVIF", quality=90, subsampling="4:4:4"), "AVIF", rgb=big, exact=False)
    put("o8.avif", save(big, "AVIF", quality=90, subsampling="4:4:4", exif=exif(8)), "AVIF",
        rgb=big.transpose(Image.ROTATE_90), exact=False, hide_exif=True)
    put("o5.avif", save(big, "AVIF", quality=90, subsampling="4:4:4", exif=exif(5)), "AVIF",
        rgb=big.transpose(Image.TRANSPOSE), exact=False, hide_exif=True)


def main():
    os.makedirs(OUT, exist_ok=True)
    jpegs()
    pngs()
    others()
    versions = {"Pillow": PIL.__version__, "pillow-heif": pillow_heif.__version__, "numpy": np.__version__,
                "libjpeg-turbo": features.version("libjpeg_turbo"), "libwebp": features.version("webp"),
                "libheif": pillow_heif.libheif_version()}
    with open("expected.json", "w") as f:
        json.dump({"versions": versions, "files": expected}, f, separators=(",", ":"), sort_keys=True)
        f.write("\n")


main()
