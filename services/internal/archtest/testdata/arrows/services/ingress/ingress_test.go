package ingress

import (
	_ "github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	_ "github.com/parleyhq/parley/services/session"
)
