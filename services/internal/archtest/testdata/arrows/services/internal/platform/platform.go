package platform

import (
	_ "github.com/parleyhq/parley/pkg/lane"
	_ "github.com/parleyhq/parley/services/ingress" // bad
	_ "github.com/parleyhq/parley/services/internal/simulation" // bad
)
