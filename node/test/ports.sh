#!/bin/sh
# ports.sh BUILD_DIR: the ports to Monocypher and to Arduino's Crypto library, with sanitizers. No package of Debian
# has either library: each port is compiled against a stand-in of the interface that it calls, over libsodium
# (shim/crypto), or against the library itself where MONOCYPHER or ARDUINO_CRYPTO names its folder of sources.
set -eu

cd "$(dirname "$0")"
out=$1/ports
shim=shim/crypto
sane="-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -no-pie" # as in the Makefile
for p in gcc g++; do
	command -v "$p" >/dev/null || { echo "skipped the ports to Monocypher and Arduino's Crypto: $p is not installed"; exit 0; }
done
rm -rf "$out"
mkdir -p "$out"

c() {
	gcc -std=c99 -D_GNU_SOURCE $sane "$@"
}

if [ -n "${MONOCYPHER:-}" ]; then
	mono="$MONOCYPHER itself"
	c -I"$MONOCYPHER" -I"$MONOCYPHER/optional" -c -o "$out/monocypher.o" "$MONOCYPHER/monocypher.c"
	c -I"$MONOCYPHER" -I"$MONOCYPHER/optional" -c -o "$out/monocypher-ed25519.o" "$MONOCYPHER/optional/monocypher-ed25519.c"
	c -I"$MONOCYPHER" -I"$MONOCYPHER/optional" -c -o "$out/port-monocypher.o" ../src/ports/monocypher/ntsgw_monocypher.c
else
	mono="a stand-in"
	c -Wall -Wextra -Werror -I$shim -c -o "$out/port-monocypher.o" ../src/ports/monocypher/ntsgw_monocypher.c
fi

if [ -n "${ARDUINO_CRYPTO:-}" ]; then
	arduino="$ARDUINO_CRYPTO itself"
	# Only what verifies and hashes: the rest wants an Arduino.
	for f in Ed25519 Curve25519 SHA256 SHA512 Hash BigNumberUtil Crypto; do
		g++ $sane -I"$ARDUINO_CRYPTO" -ffunction-sections -c -o "$out/$f.o" "$ARDUINO_CRYPTO/$f.cpp"
	done
	g++ -std=gnu++11 $sane -I"$ARDUINO_CRYPTO" -c -o "$out/port-arduino.o" ../src/ports/arduino-crypto/ntsgw_arduino_crypto.cpp
else
	arduino="a stand-in"
	g++ -std=gnu++11 $sane -Wall -Wextra -Werror -I$shim -c -o "$out/port-arduino.o" ../src/ports/arduino-crypto/ntsgw_arduino_crypto.cpp
fi

c -Wall -Wextra -Wno-unused-function -DMONOCYPHER="\"$mono\"" -DARDUINO_CRYPTO="\"$arduino\"" -c -o "$out/ports_test.o" ports_test.c
# The rest is host_test.c's to try with sanitizers.
for f in ../src/*.c ../src/ports/sodium/*.c ../src/ports/bearssl/*.c ../src/ports/ed25519/*.c; do
	gcc -std=c99 -O1 -c -o "$out/$(basename "$f" .c).o" "$f"
done
g++ $sane -Wl,--gc-sections -o "$out/ports-test" "$out"/*.o -lsodium -lbearssl -lpthread -lm
"$out/ports-test"
