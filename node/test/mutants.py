#!/usr/bin/python3
"""Leaves out one check of the node library after the other: the adversarial schedules must notice each,
or else the tests on the host.

mutants.py STREAM: schedules as downstream/beacon's TestPromise writes them.
"""
import os
import shutil
import subprocess
import sys
import tempfile

node = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MUTANTS = [
    ("nonce", "ntsgw_node.c", "memcmp(gw->nonce, l->e.piece[NTSGW_CONTENT].p + l->of.claims.value[NTSGW_NONCE] + 1, 16) != 0", "0"),
    ("open request", "ntsgw_node.c", "  gw->open = 0;\n  gw->unanswered = 0;", "  gw->unanswered = 0;"),
    ("MAC", "ntsgw_node.c", "good = !differ(l->of.scratch, l->e.piece[NTSGW_PROOF].p + 2);", "good = 1;"),
    ("signature", "ntsgw_node.c", "good = crypto->ed25519(key, l->e.piece[NTSGW_PROOF].p + 2, l->e.piece, 4);", "good = 1;"),
    ("kind, gateway and node", "ntsgw_node.c", "l->e.piece[NTSGW_EXTERNAL] = span(text, (size_t)(to - (char *)text));", "l->e.piece[NTSGW_EXTERNAL] = span(text, 3);"),
    ("key's validity", "ntsgw_node.c", "if (s < gw->not_before || s > gw->not_after ||", "if (s > gw->not_after ||"),
    ("floor of beacons", "ntsgw_node.c", "  if (latest < gw->floor) return NTSGW_E_BELOW_FLOOR;\n", ""),
    ("floor of answers", "ntsgw_node.c", "  if (latest < gw->asked_floor) {", "  if (0) {"),
    ("deadline", "ntsgw_node.c", " > deadline_ms) return NTSGW_E_LATE;", " > deadline_ms) return NTSGW_OK;"),
    ("older delegation", "ntsgw_node.c", "  if (*valid < gw->serial) return NTSGW_E_OLD_SERIAL;\n", ""),
    ("serial in answers", "ntsgw_node.c", "  saw_serial(node, gw, l->of.claims.value[NTSGW_SERIAL]);\n", ""),
    ("stated rate", "ntsgw_interval.c", "drift(d, r->rho_ppb, sign);", "drift(d, 0, sign);"),
    ("clock's step", "ntsgw_interval.c", "  ntsgw_add(d, sign, r->tick);\n", ""),
    ("TAI", "ntsgw_cbor.c", "ntsgw_add(t, NTSGW_NS, c->value[NTSGW_TAI_UTC]);", "ntsgw_add(t, NTSGW_NS, 37);"),
    ("contradiction", "ntsgw_interval.c", "if (ntsgw_less(&old.hi, &own->lo)) return NTSGW_EMPTY | NTSGW_LO;", "if (ntsgw_less(&old.hi, &own->lo)) return 0;"),
    ("n - f", "ntsgw_node.c", "count(node) - node->config->faults, &k->all", "count(node), &k->all"),
    ("month's own end", "ntsgw_interval.c", "late && own == 0", "late"),
    ("discontinuity", "ntsgw_node.c", "    v->interval.lo.tai = now.lo;\n    v->interval.hi.tai = NTSGW_HI_UNKNOWN;\n", "    v->interval.lo.tai = now.lo;\n"),
    ("shortest heads", "ntsgw_cbor.c", "(major == OTHER ? 32u : 24u)", "(major == OTHER ? 32u : 0u)"),
    ("order of keys", "ntsgw_cbor.c", "    ordered(r, c->key, start);\n", ""),
    ("what a kind needs", "ntsgw_cbor.c", "  if (found != needed[kind - 1]) r.bad = 1;\n", ""),
    ("64 bits", "ntsgw_cbor.c", " || first == WIDE", ""),
    ("critical keys", "ntsgw_cbor.c", "32 * map > key + 32", "0"),
    ("length of 64 bits", "ntsgw_cbor.c", "        if (n == 8) r->low = UINT32_MAX;\n", ""),
    ("depth", "ntsgw_cbor.c", "r->depth > NTSGW_DEPTH_MAX || ", ""),
]
missed = 0
for name, path, old, new in MUTANTS:
    with tempfile.TemporaryDirectory() as d:
        os.symlink(os.path.join(os.path.dirname(node), "downstream"), os.path.join(d, "downstream"))
        d = os.path.join(d, "node")
        shutil.copytree(os.path.join(node, "src"), os.path.join(d, "src"))
        shutil.copytree(os.path.join(node, "test"), os.path.join(d, "test"))
        source = open(os.path.join(d, "src", path)).read()
        if source.count(old) != 1:
            sys.exit("mutant %s: %r is there %d times" % (name, old, source.count(old)))
        open(os.path.join(d, "src", path), "w").write(source.replace(old, new))
        library = ["src/ntsgw_node.c", "src/ntsgw_cbor.c", "src/ntsgw_interval.c", "src/ports/bearssl/ntsgw_bearssl.c",
                   "src/ports/sodium/ntsgw_sodium.c", "src/ports/ed25519/ntsgw_ed25519.c", "-lsodium", "-lbearssl", "-lpthread", "-lm"]

        def judged(program, *args):
            out = os.path.join(d, "judge")
            subprocess.run(["gcc", "-std=gnu99", "-w", "-O1", "-o", out, "test/" + program, *library], cwd=d, check=True)
            p = subprocess.run([out, *args], capture_output=True, text=True)
            return p.returncode == 1, p.stdout.strip().splitlines()[-1] if p.stdout else p.stderr

        noticed, text = judged("schedule.c", sys.argv[1])
        if noticed:
            text = text.split(": ")[-1]
        else:
            noticed, text = judged("host_test.c")
            text = "on the host: " + text
        missed += not noticed
        print("%s without %s: %s" % ("noticed" if noticed else "MISSED ", name, text))
sys.exit(1 if missed else 0)
