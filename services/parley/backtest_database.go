package main

import (
	"cmp"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// recordedIn is the URL of the database with the conversations: the one that is
// named, else that of the parley up which runs in this folder.
func recordedIn(stderr io.Writer) (string, error) {
	if os.Getenv("PARLEY_DATABASE_URL") != "" || os.Getenv("PARLEY_DATABASE_URL_FILE") != "" {
		config, err := loadDatabase("parley flow backtest")
		return config.DatabaseURL, err
	}
	dir := cmp.Or(os.Getenv("PARLEY_DATA_DIR"), ".parley")
	if own := ownDatabase(dir); own != "" {
		return own, nil
	}
	return "", misused(stderr, "there is no database to read conversations from: PARLEY_DATABASE_URL is not set, and no parley up runs with %s: "+
		"start parley up in this folder, or set PARLEY_DATABASE_URL, such as postgres://parley:password@db.example.org/parley; "+
		"a parley up that runs elsewhere prints its own, as Database", dir)
}

// ownDatabase is the URL of the PostgreSQL that a parley up runs with a data folder;
// "" if none answers there. It may have been moved to where its account can reach it.
func ownDatabase(dir string) string {
	home, err := filepath.Abs(filepath.Join(dir, "postgres"))
	if err != nil {
		return ""
	}
	homes := []string{home}
	if place, err := os.ReadFile(filepath.Join(home, "place")); err == nil {
		homes = append(homes, strings.TrimSpace(string(place)))
	}
	for _, home := range homes {
		socket := filepath.Join(home, "socket")
		connection, err := net.Dial("unix", filepath.Join(socket, ".s.PGSQL.5432"))
		if err != nil {
			continue
		}
		connection.Close()
		query := url.Values{"host": {socket}, "port": {"5432"}, "sslmode": {"disable"}}
		return "postgres://parley@/parley?" + query.Encode()
	}
	return ""
}
