// Command parley-projector folds events into the read models.
package main

import (
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/projector"
)

func main() {
	platform.Main(platform.Program[projector.Config]{
		Name: "projector", Addr: "127.0.0.1:0",
		Common: func(c projector.Config) platform.Common { return c.Common },
		Build:  projector.Build,
	})
}
