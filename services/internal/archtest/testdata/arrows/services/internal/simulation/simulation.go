package simulation

import (
	_ "github.com/parleyhq/parley/pkg/store/pgtest"
	_ "github.com/parleyhq/parley/services/ingress"
	_ "github.com/parleyhq/parley/services/parley" // bad
)
