package process

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// modulePrefix begins the import path of every program.
const modulePrefix = "github.com/parleyhq/parley/services/"

// Build builds programs into dir. Each is named by its folder below services, as
// ingress/cmd/parley-ingress. The working directory must be in the checkout.
func Build(ctx context.Context, dir string, programs ...string) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, program := range programs {
		args = append(args, modulePrefix+program)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
