// Command parley-session runs conversations.
package main

import (
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/session"
)

func main() {
	platform.Main(platform.Program[session.Config]{
		Name: "session", Addr: "127.0.0.1:0",
		Common: func(c session.Config) platform.Common { return c.Common },
		Build:  session.Build,
	})
}
