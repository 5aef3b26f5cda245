package main

import (
	"cmp"
	"io"
	"os"

	"github.com/parleyhq/parley/pkg/store/devpg"
)

// recordedIn is the URL of the database with the conversations: the one that is
// named, else that of the parley up which runs in this folder.
func recordedIn(stderr io.Writer) (string, error) {
	if os.Getenv("PARLEY_DATABASE_URL") != "" || os.Getenv("PARLEY_DATABASE_URL_FILE") != "" {
		config, err := loadDatabase("parley flow backtest")
		return config.DatabaseURL, err
	}
	dir := cmp.Or(os.Getenv("PARLEY_DATA_DIR"), ".parley")
	if own, ok := devpg.Running(postgresDir(dir)); ok {
		return own, nil
	}
	return "", misused(stderr, "there is no database to read conversations from: PARLEY_DATABASE_URL is not set, and no parley up runs with %s: "+
		"start parley up in this folder, or set PARLEY_DATABASE_URL, such as postgres://parley:password@db.example.org/parley; "+
		"a parley up that runs elsewhere prints its own, as Database", dir)
}
