package store

import (
	_ "github.com/parleyhq/parley/pkg/flow"
	_ "github.com/parleyhq/parley/pkg/store/devpg"
	_ "github.com/parleyhq/parley/pkg/store/pgtest" // bad
)
