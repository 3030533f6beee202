#!/usr/bin/python3
"""Verifies vectors.json with python3-cbor2 and python3-cryptography (Debian): nothing here shares code with Go.

Prints one line a disagreement, then how many messages were judged; exit 0 when all agree."""
import hashlib
import hmac
import json
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from base64 import urlsafe_b64encode

ALG = {"Ed25519": -19, "ES256": -9}


def cose_key(alg, public):
    if alg == "Ed25519":
        return {1: 1, -1: 6, -2: public}
    return {1: 2, -1: 1, -2: public[1:33], -3: public[33:]}


def verify(key, data, signature):
    public = bytes.fromhex(key["public"])
    try:
        if key["alg"] == "Ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        else:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
            point.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        return True
    except InvalidSignature:
        return False


def derive(n, use):
    info = f"ntsgw/1/{use}/{n['node']}/{n['generation']}".encode()
    return HKDF(hashes.SHA256(), 32, n["gateway"].encode(), info).derive(bytes.fromhex(n["master"]))


def time_fields(t):
    assert t.tag == 1001, "tag"
    m = t.value
    return {
        "seconds": m[1],
        "nanoseconds": m[-9],
        "error_seconds": m[-8][1],
        "error_nanoseconds": m[-8][-9],
    }


NAMES = {3: "sequence", 4: "state", 5: "stratum", 6: "leap", 7: "tai_offset", 8: "next", 10: "turnaround", 11: "serial", 13: "half_width"}


def fields(kind, payload):
    p = cbor2.loads(payload)
    if kind == "key":
        k = p[1]
        public = k[-2] if k[1] == 1 else b"\x04" + k[-2] + k[-3]
        return {"public": public.hex(), "serial": p[2], "not_before": p[3], "not_after": p[4]}
    out = time_fields(p[1]) if 1 in p else {}
    for key, name in NAMES.items():
        if key in p:
            out[name] = p[key]
    for key, name in {2: "epoch", 9: "nonce"}.items():
        if key in p:
            out[name] = p[key].hex()
    return out


def judge(v, keys, node, m):
    """Returns (signature holds, fields) of a message that is at least well-formed COSE."""
    message = cbor2.loads(bytes.fromhex(m["message"]))
    mac = m["kind"] in ("req", "resp")
    assert message.tag == (17 if mac else 18), "COSE tag"
    protected, unprotected, payload, proof = message.value
    header = cbor2.loads(protected)
    external = f"ntsgw/1/{m['kind']}/{v['gateway']}" + (f"/{v['node']}" if mac else "")
    structure = cbor2.dumps(["MAC0" if mac else "Signature1", protected, external.encode(), payload])
    if mac:
        key = bytes.fromhex(node["key"])
        good = header == {1: 5, 4: node["generation"].to_bytes(4, "big")}
        good = good and hmac.compare_digest(hmac.new(key, structure, hashlib.sha256).digest(), proof)
    else:
        key = keys[m["key"]]
        good = header == {1: ALG[key["alg"]], 4: bytes.fromhex(key["kid"])} and verify(key, structure, proof)
    return good and unprotected == {}, payload


def main():
    v = json.load(open(sys.argv[1]))
    keys = {k["name"]: k for k in v["keys"]}
    wrong = judged = 0

    def check(name, what, got, want):
        nonlocal wrong
        if got != want:
            wrong += 1
            print(f"{name}: {what}: {got!r}, not {want!r}")

    for k in v["keys"]:
        thumbprint = hashlib.sha256(cbor2.dumps(cose_key(k["alg"], bytes.fromhex(k["public"])), canonical=True)).digest()
        check(k["name"], "key id", thumbprint[:8].hex(), k["kid"])
    for n in v["node_keys"]:
        check(n["node"], "node key", derive(n, "node").hex(), n["key"])
        check(n["node"], "password", urlsafe_b64encode(derive(n, "mqtt")).rstrip(b"=").decode(), n["mqtt_password"])
    node = v["node_keys"][0]
    for m in v["messages"]:
        if m["reason"] not in ("", "bad-signature", "outside-validity"):
            continue
        judged += 1
        good, payload = judge(v, keys, node, m)
        check(m["name"], "signature", good, m["reason"] != "bad-signature")
        if m["reason"] == "":
            check(m["name"], "fields", fields(m["kind"], payload), m["fields"])
            if not m["name"].startswith("skip-"):
                check(m["name"], "deterministic encoding", cbor2.dumps(cbor2.loads(payload), canonical=True), payload)
    print(f"{judged} messages judged")
    sys.exit(1 if wrong else 0)


main()
