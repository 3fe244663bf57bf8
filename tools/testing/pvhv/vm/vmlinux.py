#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""vmlinux.py BZIMAGE OUT: take the ELF kernel out of a bzImage.

Fails when the compression is not known here, or when the kernel cannot be
started as an ELF image (no PVH entry note).
"""
import gzip
import lzma
import struct
import subprocess
import sys

XEN_ELFNOTE_PHYS32_ENTRY = 18


def unpack(image):
    """The payload, by the fields of the x86 boot protocol (2.08)."""
    setup_sects = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sects + 1) * 512 + offset
    data = image[start:start + length]
    if data.startswith(b"\xfd7zXZ"):
        # a size in 4 bytes follows the stream
        return lzma.LZMADecompressor().decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data[:-4])
    tools = {b"\x02\x21": ["lz4", "-dc"], b"\x28\xb5": ["zstd", "-dc"]}
    if data[:2] in tools:
        return subprocess.run(tools[data[:2]], input=data[:-4], check=True,
                              stdout=subprocess.PIPE).stdout
    sys.exit("unknown compression")


def has_pvh_note(elf):
    phoff, = struct.unpack_from("<Q", elf, 0x20)
    phentsize, phnum = struct.unpack_from("<HH", elf, 0x36)
    for i in range(phnum):
        kind, _, offset, _, _, size = struct.unpack_from(
            "<IIQQQQ", elf, phoff + i * phentsize)
        if kind != 4:  # PT_NOTE
            continue
        at, end = offset, offset + size
        while at + 12 <= end:
            namesz, descsz, ntype = struct.unpack_from("<III", elf, at)
            name = elf[at + 12:at + 12 + namesz].rstrip(b"\0")
            if name == b"Xen" and ntype == XEN_ELFNOTE_PHYS32_ENTRY:
                return True
            at += 12 + (namesz + 3) // 4 * 4 + (descsz + 3) // 4 * 4
    return False


def main():
    with open(sys.argv[1], "rb") as f:
        elf = unpack(f.read())
    if elf[:4] != b"\x7fELF" or not has_pvh_note(elf):
        sys.exit("not an ELF kernel with a PVH entry")
    with open(sys.argv[2], "wb") as f:
        f.write(elf)


main()
