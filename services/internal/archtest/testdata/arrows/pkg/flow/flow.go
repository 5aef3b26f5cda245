package flow

import (
	_ "github.com/goccy/go-yaml"

	_ "github.com/parleyhq/parley/pkg/insight" // bad
	_ "github.com/parleyhq/parley/pkg/store" // bad
	_ "github.com/parleyhq/parley/proto/parley/v1"
)
