// Command parley-ingress takes webhooks and stores their updates in JetStream.
package main

import (
	"github.com/parleyhq/parley/services/ingress"
	"github.com/parleyhq/parley/services/internal/platform"
)

func main() {
	platform.Main(platform.Program[ingress.Config]{
		Name: "ingress", Addr: "127.0.0.1:8080", NoDatabase: true,
		Common: func(c ingress.Config) platform.Common { return c.Common },
		Build:  ingress.Build,
	})
}
