#!/bin/sh
# Brings Debian's source of BearSSL to DIR/bearssl: bearssl.sh DIR. Uses the
# machine's own package sources, asked for source packages, and changes none of
# its files. Exit code 3: it can't be had here.
set -eu
dir=$1
[ -f "$dir/bearssl/inc/bearssl.h" ] && exit 0
command -v apt-get >/dev/null || exit 3
mkdir -p "$dir/apt/parts" "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
for f in $(ls /etc/apt/sources.list 2>/dev/null) /etc/apt/sources.list.d/*; do
  case $f in
    *.sources) grep -q debian "$f" && sed 's/^Types: .*/Types: deb-src/; s/^Suites: \([^ ]*\).*/Suites: \1/' "$f" >"$dir/apt/parts/${f##*/}" ;;
    *.list) grep -q '^deb .*debian' "$f" && sed -n 's/^deb /deb-src /p' "$f" >"$dir/apt/parts/${f##*/}" ;;
  esac || true
done
options="-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$dir/apt/parts -o Dir::State::Lists=$dir/apt/lists -o Dir::Cache=$dir/apt/cache -o APT::Sandbox::User=root"
cd "$dir"
timeout 90 apt-get $options update >apt.log 2>&1 || exit 3
timeout 90 apt-get $options source --download-only bearssl >>apt.log 2>&1 || exit 3
mkdir -p unpacked
tar -xf bearssl_*.orig.tar.* -C unpacked
mv unpacked/* bearssl
