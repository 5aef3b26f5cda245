#!/bin/sh
# Installs the named tools into .bin/, each at the version that is pinned here:
#
#   install.sh buf protoc-gen-go
#
# An empty file beside each binary says which version it is and which Go built it. A tool that is there already
# costs nothing; a first install of buf or golangci-lint builds for minutes.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .bin
go=$(go env GOVERSION) # a linter built by an older Go refuses newer code

for tool; do
	case $tool in
	buf) package=github.com/bufbuild/buf/cmd/buf@v1.75.0 ;;
	protoc-gen-go) package=google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12 ;; # as the runtime in proto/go.mod
	golangci-lint) package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 ;; # contains gofumpt v0.12.0
	*) echo "install.sh: no version is pinned for $tool" >&2 && exit 2 ;;
	esac
	stamp=".bin/.$tool@${package##*@}-$go"
	if [ -x ".bin/$tool" ] && [ -e "$stamp" ]; then
		continue
	fi
	echo "go install $package (into .bin/)"
	rm -f ".bin/.$tool@"*
	# For this machine, whatever the caller builds for.
	GOOS='' GOARCH='' GOBIN="$PWD/.bin" go install "$package"
	touch "$stamp"
done
