// Command parley-console answers the JSON API.
package main

import (
	"github.com/parleyhq/parley/services/console"
	"github.com/parleyhq/parley/services/internal/platform"
)

func main() {
	platform.Main(platform.Program[console.Config]{
		Name: "console", Addr: "127.0.0.1:0",
		Common: func(c console.Config) platform.Common { return c.Common },
		Build:  console.Build,
	})
}
