#!/usr/bin/python3
"""Sums what each object file brought into a linked image: flash.py MAP [NAME...] prints bytes by file."""
import re
import sys

text = open(sys.argv[1]).read()
text = text[text.index("Linker script and memory map"):]
sizes, parts = {}, {}
# Section name, address, size and file, the name perhaps on a line of its own.
for m in re.finditer(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)$", text, re.M):
    name, addr, size, path = m[1], int(m[2], 16), int(m[3], 16), m[4]
    if addr == 0 or not re.match(r"\.(text|literal|rodata)", name):
        continue
    path = re.sub(r".*\(|\)", "", path).rsplit("/", 1)[-1]
    sizes[path] = sizes.get(path, 0) + size
    parts.setdefault(path, []).append((size, name))
total = 0
for path in sorted(sizes):
    if len(sys.argv) > 2 and not any(path.startswith(n) for n in sys.argv[2:]):
        continue
    print(path, sizes[path])
    total += sizes[path]
    if "-v" in sys.argv:
        for size, name in sorted(parts[path], reverse=True)[:60]:
            print("   ", size, name)
print("total", total)
