#!/bin/sh
# Fails if the tree is not what its own commands would make of it:
#
#   verify.sh MODULE...
#
#   1. generated files are those that `make generate` writes
#   2. go.mod and go.sum are those that `go mod tidy` writes
#   3. each module builds on its own: inside go.work a module may use what it does not require, and nobody notices
set -eu
cd "$(dirname "$0")/../.."

generated() {
	find proto services/internal/demoflows deploy/flows/flow.schema.json -type f ! -name '*.proto' | sort | xargs cksum
}

before=$(generated)
make -s generate
if [ "$before" != "$(generated)" ]; then
	git status --short -- proto services/internal/demoflows deploy/flows/flow.schema.json
	echo "verify: generated files were out of date. They are up to date now: commit them." >&2
	exit 1
fi

export GOWORK=off
for module; do
	echo "$module: go mod tidy -diff, go build, go vet"
	(cd "$module" && go mod tidy -diff && go build ./... && go vet ./...)
done
