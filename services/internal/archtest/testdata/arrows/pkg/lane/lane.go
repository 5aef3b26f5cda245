package lane

import (
	_ "github.com/parleyhq/parley/pkg/bus"
	_ "github.com/parleyhq/parley/pkg/store"
	_ "github.com/parleyhq/parley/services/session" // bad
)
