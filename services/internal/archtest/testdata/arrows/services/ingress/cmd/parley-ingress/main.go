package main

import (
	_ "github.com/parleyhq/parley/services/ingress"
	_ "github.com/parleyhq/parley/services/internal/platform"
	_ "github.com/parleyhq/parley/services/session" // bad
)
