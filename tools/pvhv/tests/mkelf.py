# SPDX-License-Identifier: GPL-2.0
"""A small kernel with the pvhv notes, which the fake device can be given."""
import os
import re
import struct

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../..")
with open(f"{TOP}/include/pvhv/hypercall.h", encoding="ascii") as f:
    ABI = int(re.search(r"define PVHV_ABI_VERSION\s+(\d+)", f.read()).group(1))
GPA = 0x200000
GVA = 0xffffffff80200000


def note(kind, value):
    return struct.pack("<III8sQ", 5, 8, kind, b"pvhv\0\0\0\0"[:8], value)


def kernel(abi=ABI, notes=True, machine=62):
    text = b"\x90" * 4096
    data = b"\xda" * 4096
    all_notes = (note(1, GVA) + note(2, GPA + 0x1000) + note(3, abi)) if notes else b""
    offset = 64 + 3 * 56
    note_at = offset
    text_at = note_at + 96
    data_at = text_at + len(text)
    ehdr = struct.pack("<4sBBBB8sHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, b"", 2, machine, 1,
                       GPA, 64, 0, 0, 64, 56, 3, 0, 0, 0)

    def phdr(kind, at, vaddr, paddr, filesz, memsz, align):
        return struct.pack("<IIQQQQQQ", kind, 7, at, vaddr, paddr, filesz, memsz, align)

    headers = (phdr(1, text_at, GVA, GPA, len(text), len(text), 4096) +
               phdr(1, data_at, GVA + 4096, GPA + 4096, len(data), 0x3000, 4096) +
               phdr(4, note_at, 0, 0, len(all_notes), len(all_notes), 4))
    return ehdr + headers + all_notes.ljust(96, b"\0") + text + data
