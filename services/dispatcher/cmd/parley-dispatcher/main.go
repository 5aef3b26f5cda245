// Command parley-dispatcher sends what sessions have queued.
package main

import (
	"github.com/parleyhq/parley/services/dispatcher"
	"github.com/parleyhq/parley/services/internal/platform"
)

func main() {
	platform.Main(platform.Program[dispatcher.Config]{
		Name: "dispatcher", Addr: "127.0.0.1:0",
		Common: func(c dispatcher.Config) platform.Common { return c.Common },
		Build:  dispatcher.Build,
	})
}
