package parleyv1

import (
	_ "strings"

	_ "google.golang.org/protobuf/proto"

	_ "github.com/jackc/pgx/v5" // bad
	_ "github.com/parleyhq/parley/pkg/flow" // bad
)
