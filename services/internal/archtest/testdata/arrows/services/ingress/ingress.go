package ingress

import (
	_ "github.com/parleyhq/parley/pkg/bus"
	_ "github.com/parleyhq/parley/pkg/whatsapp/meta"
	_ "github.com/parleyhq/parley/pkg/whatsapp/meta/fake" // bad
	_ "github.com/parleyhq/parley/services/internal/load" // bad
	_ "github.com/parleyhq/parley/services/internal/platform"
	_ "github.com/parleyhq/parley/services/sandbox" // bad
	_ "github.com/parleyhq/parley/services/session" // bad
)
