package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// nameFormat is the name of every database that this package makes: when (milliseconds since 1970), which process, which of its own.
const nameFormat = "parley_test_%d_%d_%d"

// admin creates and drops databases on a server. Names are ours, so they need no quoting.
type admin struct {
	address *url.URL
}

func newAdmin(dsn string) (admin, error) {
	address, err := url.Parse(dsn)
	if err != nil || address.Scheme == "" {
		return admin{}, fmt.Errorf("the address of the test server is not a URL (postgres://…)") // the cause would show its password
	}
	return admin{address: address}, nil
}

// dsn is the address of one of the server's databases.
func (a admin) dsn(database string) string {
	address := *a.address
	address.Path = "/" + database
	return address.String()
}

func (a admin) create(ctx context.Context, name, template string) error {
	return a.exec(ctx, "create database "+name+" template "+template)
}

// drop removes a database with whatever connections a failed test left open.
func (a admin) drop(ctx context.Context, name string) error {
	return a.exec(ctx, "drop database if exists "+name+" with (force)")
}

// dropLeftovers removes the databases that were made before a time: the templates of earlier test binaries, and what killed ones left.
func (a admin) dropLeftovers(ctx context.Context, before time.Time) error {
	conn, err := pgx.Connect(ctx, a.address.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "select datname from pg_database")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		var at, process, serial int64
		if n, _ := fmt.Sscanf(name, nameFormat, &at, &process, &serial); n != 3 || at >= before.UnixMilli() {
			continue
		}
		if err := a.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (a admin) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, a.address.String())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
