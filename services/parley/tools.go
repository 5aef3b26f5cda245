package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/projector"
)

// database is the configuration of a tool that needs the database only.
type database struct{ platform.Common }

// Problems reports what is wrong with the configuration.
func (d database) Problems() error {
	err := d.Common.Problems()
	if d.DatabaseURL == "" {
		err = errors.Join(err, errors.New("PARLEY_DATABASE_URL is not set; while `parley up` runs with its own PostgreSQL, it prints the URL"))
	}
	return err
}

func loadDatabase(name string) (database, error) {
	config, err := platform.Load[database](os.Environ())
	if err != nil {
		platform.Misconfigured(os.Stderr, name, err)
		return config, errMisconfigured
	}
	return config, nil
}

type migrateCommand struct{}

// Run migrates the database.
func (migrateCommand) Run(ctx context.Context) error {
	config, err := loadDatabase("parley migrate")
	if err != nil {
		return err
	}
	if err := store.Migrate(ctx, config.DatabaseURL); err != nil {
		return err
	}
	fmt.Println("the database is up to date")
	return nil
}

type rebuildCommand struct{}

// Run folds all events again. It may run beside the services.
func (rebuildCommand) Run(ctx context.Context) error {
	config, err := loadDatabase("parley rebuild")
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, config.DatabaseURL, 2, "parley-rebuild")
	if err != nil {
		return err
	}
	defer db.Close()
	shards, err := db.CountShards(ctx, store.ServiceProjector)
	if err != nil {
		return err
	}
	var total uint64
	err = projector.Rebuild(ctx, db, shards, func(shard int, events uint64) {
		total += events
		fmt.Fprintf(os.Stderr, "shard %2d of %d: %d events\n", shard+1, shards, events)
	})
	if err != nil {
		return err
	}
	fmt.Printf("the read models hold %d events\n", total)
	return nil
}
