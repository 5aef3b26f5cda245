#!/bin/sh
# Makes sure that this machine has a PostgreSQL that Parley can start for itself: looks for one where
# pkg/store/devpg/binaries.go looks, and else installs the system's package. No database server is left running.
set -u
oldest=14 # the oldest major version that Parley runs on

# usable says whether a folder holds a server, and one that is new enough.
usable() {
	[ -x "$1/initdb" ] || return 1
	major=$("$1/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
	[ "${major:-0}" -ge "$oldest" ]
}

# found is a subshell, so that its IFS stays its own.
found() (
	if [ -n "${PARLEY_PG_BIN:-}" ]; then
		usable "$PARLEY_PG_BIN"
		return
	fi
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
		/opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
		/Applications/Postgres.app/Contents/Versions/[0-9]*/bin \
		"$(pg_config --bindir 2>/dev/null)"; do
		if usable "$dir"; then return 0; fi
	done
	IFS=:
	for dir in $PATH; do
		if usable "$dir"; then return 0; fi
	done
	return 1
)

has() { command -v "$1" >/dev/null 2>&1; }

# as_root runs a command after saying it.
as_root() {
	if [ "$(id -u)" -ne 0 ]; then set -- sudo "$@"; fi
	echo "+ $*"
	"$@"
}

# Debian creates and starts a cluster with the package unless postgresql-common, which must be there first, says no.
install_apt() {
	as_root apt-get update # what it could not reach may not matter
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql-common &&
		as_root sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql
}

install_brew() {
	echo "+ brew install postgresql@17"
	brew install postgresql@17
}

give_up() {
	echo "$1" >&2
	echo "Or set PARLEY_DATABASE_URL to a database of yours, or PARLEY_PG_BIN to the folder of PostgreSQL's programs." >&2
	exit 1
}

if found; then exit 0; fi
if [ -n "${PARLEY_PG_BIN:-}" ]; then
	give_up "PARLEY_PG_BIN=$PARLEY_PG_BIN is not the folder of a PostgreSQL $oldest or newer (postgres, initdb)."
fi

if [ "$(uname)" = Darwin ] && has brew; then
	install=install_brew line="brew install postgresql@17"
elif has apt-get; then
	install=install_apt line="sudo apt-get update && sudo apt-get install -y postgresql"
elif has dnf; then
	install="as_root dnf install -y postgresql-server" line="sudo dnf install -y postgresql-server"
else
	give_up "Parley needs PostgreSQL $oldest or newer, and this machine has none. Install its server package (macOS: brew install postgresql@17) and try again."
fi
if [ "$install" != install_brew ] && [ "$(id -u)" -ne 0 ]; then
	# Without a terminal nobody can type a password.
	if ! has sudo || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
		give_up "Parley needs PostgreSQL $oldest or newer. Run: $line"
	fi
fi

echo "This machine has no PostgreSQL $oldest or newer. Installing it:"
$install || give_up "That failed. Parley needs PostgreSQL $oldest or newer; try: $line"
found || give_up "It was installed, but is older than $oldest or not where it was expected."
