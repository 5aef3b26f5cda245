package sandbox

import (
	_ "github.com/parleyhq/parley/pkg/store/pgtest"
	_ "github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	_ "github.com/parleyhq/parley/services/ingress" // bad
)
