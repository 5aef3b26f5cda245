#!/bin/sh
# Fails if the contract can no longer read what was stored under the contract of main. On main itself it compares
# with the commit before.
set -eu
cd "$(dirname "$0")/../.."

base=''
for ref in origin/main main; do
	if base=$(git rev-parse -q --verify "$ref^{commit}"); then break; fi
done
if [ "$base" = "$(git rev-parse HEAD)" ]; then
	base=$(git rev-parse -q --verify 'HEAD^{commit}^') || base=''
fi
if [ -z "$base" ] || ! git cat-file -e "$base:buf.yaml" 2>/dev/null; then
	echo "buf breaking: no earlier contract to compare with"
	exit 0
fi

before=.bin/contract-before
rm -rf "$before"
mkdir -p "$before"
git archive "$base" buf.yaml proto | tar -x -C "$before"
echo "buf breaking --against $(git rev-parse --short "$base")"
.bin/buf breaking --against "$before"
