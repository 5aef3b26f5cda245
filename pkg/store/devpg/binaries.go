package devpg

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldestMajor is the oldest PostgreSQL that Parley runs on.
const oldestMajor = 14

// binaries is an installed PostgreSQL.
type binaries struct {
	dir   string
	major int
}

func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }
func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }

// NotFoundError says that this machine has no PostgreSQL that can be used, where it was looked for, and what to do about it.
type NotFoundError struct {
	Looked []string // folders and patterns, in order
	Major  int      // the only version that would do, or 0 for any
}

func (e *NotFoundError) Error() string {
	what := fmt.Sprintf("no PostgreSQL %d or newer", oldestMajor)
	if e.Major != 0 {
		what = fmt.Sprintf("the data folder was made by PostgreSQL %d, which is not here (it is left untouched; a newer version needs pg_upgrade or dump and restore)", e.Major)
	}
	return fmt.Sprintf("%s; looked in %s; run: %s", what, strings.Join(e.Looked, ", "), installLine(e.Major))
}

// installLine is the one line that installs PostgreSQL on this machine.
func installLine(major int) string {
	version, sudo := "", "sudo "
	if major != 0 {
		version = fmt.Sprintf("-%d", major)
	}
	if os.Geteuid() == 0 {
		sudo = ""
	}
	switch {
	case runtime.GOOS == "darwin":
		return "brew install postgresql@" + strconv.Itoa(cmp.Or(major, 17))
	case onPath("apt-get"):
		return sudo + "apt-get install -y postgresql" + version
	case onPath("dnf"):
		return sudo + "dnf install -y postgresql-server"
	case onPath("apk"):
		return sudo + "apk add postgresql" + strings.TrimPrefix(version, "-")
	}
	return "install the postgresql server package, or set PARLEY_PG_BIN to the folder of its binaries"
}

func onPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// findBinaries returns the first installed PostgreSQL that can be used: of the major version, or with 0 of any that is new enough.
// PARLEY_PG_BIN, if set, is the only place.
func findBinaries(major int) (binaries, error) {
	notFound := &NotFoundError{Major: major}
	for _, place := range places() {
		notFound.Looked = append(notFound.Looked, place)
		for _, dir := range newestFirst(place) {
			b, err := inspect(dir)
			if err == nil && b.major >= oldestMajor && (major == 0 || b.major == major) {
				return b, nil
			}
		}
	}
	return binaries{}, notFound
}

// places lists the folders, or patterns of folders, where packages put the binaries.
func places() []string {
	if dir := os.Getenv("PARLEY_PG_BIN"); dir != "" {
		return []string{dir}
	}
	list := []string{
		"/usr/lib/postgresql/*/bin",                               // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                        // the PostgreSQL project's RPMs
		"/opt/homebrew/opt/postgresql@*/bin",                      // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",                         // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/[0-9]*/bin", // Postgres.app
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		list = append(list, strings.TrimSpace(string(out)))
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		// A link from PATH leads to the folder where initdb and the rest are.
		if path, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			list = append(list, filepath.Dir(path))
		}
	}
	return list
}

var (
	versionInPath   = regexp.MustCompile(`\d+`)
	versionInOutput = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)
)

// newestFirst returns the folders that a pattern stands for, the highest version first: the last number in the path.
func newestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // the patterns are ours; a folder with odd characters finds nothing and is named in the error
	number := func(dir string) int {
		numbers := append([]string{"0"}, versionInPath.FindAllString(dir, -1)...)
		n, _ := strconv.Atoi(numbers[len(numbers)-1])
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return dirs
}

// inspect asks the binaries in dir for their version. A folder with clients only is not an installation.
func inspect(dir string) (binaries, error) {
	b := binaries{dir: dir}
	if _, err := os.Stat(b.initdb()); err != nil {
		return b, err
	}
	out, err := exec.Command(b.postgres(), "--version").Output()
	if err != nil {
		return b, err
	}
	match := versionInOutput.FindSubmatch(out)
	if match == nil {
		return b, fmt.Errorf("%s: not a version of PostgreSQL: %q", b.postgres(), out)
	}
	b.major, err = strconv.Atoi(string(match[1]))
	return b, err
}
