package devpg

import (
	"cmp"
	"net"
	"net/url"
	"os"
	"path/filepath"
)

const (
	// socketBytesMax keeps a socket's path below what every system allows (103 bytes on macOS, 107 on Linux).
	socketBytesMax = 100
	socketName     = ".s.PGSQL.5432"
)

// socketPath is the folder of the socket: beside the data, or in the temporary folder if that path is too long for a socket.
func (h *home) socketPath() string {
	path := filepath.Join(h.dir, "socket")
	if len(path)+len("/"+socketName) < socketBytesMax {
		return path
	}
	return filepath.Join(os.TempDir(), "parley-pg-"+hash(h.data()))
}

// socketDir creates the folder of the socket. That it is private is what keeps others out of the database.
func (h *home) socketDir() (string, error) {
	path := h.socketPath()
	return path, h.account.makeDir(path)
}

// dsn names every part of the address, so that no PG… variable of the environment fills one in.
func dsn(socket, database string) string {
	query := url.Values{"host": {socket}, "port": {"5432"}, "sslmode": {"disable"}}
	return "postgres://" + superuser + "@/" + database + "?" + query.Encode()
}

// Running returns the address of the server that keeps its files in dir, if one answers there.
func Running(dir string) (address string, ok bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	moved, err := readPlace(dir)
	if err != nil {
		return "", false
	}
	h := &home{dir: cmp.Or(moved, dir)}
	connection, err := net.Dial("unix", filepath.Join(h.socketPath(), socketName))
	if err != nil {
		return "", false
	}
	connection.Close()
	return dsn(h.socketPath(), database), true
}
