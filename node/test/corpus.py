#!/usr/bin/python3
"""Writes the seed corpus of the fuzz target from the protocol's vectors: corpus.py vectors.json DIR"""
import json
import os
import sys

kinds = {"beacon": 1, "key": 2, "req": 3, "resp": 4}
vectors = json.load(open(sys.argv[1]))
os.makedirs(sys.argv[2], exist_ok=True)
for m in vectors["messages"]:
    body = bytes.fromhex(m["message"])
    if len(body) > 200:
        continue
    kid = {"beacon": 8, "key": 8, "req": 0, "resp": 4}[m["kind"]]
    if kid:  # the ids that the target holds are zero
        i = body.find(bytes([0x04, 0x40 + kid]))
        if i > 0:
            body = body[: i + 2] + bytes(kid) + body[i + 2 + kid :]
    if m["kind"] == "resp":
        i = body.find(bytes([0x09, 0x50]))
        if i > 0:
            body = body[: i + 2] + bytes(16) + body[i + 18 :]
        body = body[:-32] + bytes(32)
    with open(os.path.join(sys.argv[2], m["name"]), "wb") as f:
        f.write(bytes([kinds[m["kind"]], len(body)]) + body)
