package bus

import (
	_ "github.com/parleyhq/parley/pkg/lane" // bad
	_ "github.com/parleyhq/parley/pkg/store" // bad
	_ "github.com/parleyhq/parley/services/internal/platform" // bad
)
