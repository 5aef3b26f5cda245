package main

import (
	_ "github.com/parleyhq/parley/pkg/whatsapp/meta/fake" // bad
	_ "github.com/parleyhq/parley/services/ingress"
	_ "github.com/parleyhq/parley/services/internal/load" // bad
	_ "github.com/parleyhq/parley/services/sandbox"
)
