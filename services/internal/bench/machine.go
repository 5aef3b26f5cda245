package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	fsyncCount = 200
	fsyncBytes = 1 << 10
	// fsyncMin is less than any disk takes.
	fsyncMin = 20 * time.Microsecond
	unknown  = "unknown"
)

// machine says on what all was measured.
func (b *bench) machine() section {
	s := section{title: "machine"}
	s.row("processor", fmt.Sprintf("%d cores, %s", runtime.NumCPU(), processor()))
	s.row("kernel", kernel())
	s.row("software", b.software())
	p50, p99 := quantile(b.fsyncs, 0.5), quantile(b.fsyncs, 0.99)
	s.row("disk", fmt.Sprintf("fsync of 1 KiB: p50 %.2f ms, p99 %.2f ms (%s)", milliseconds(p50), milliseconds(p99), b.base))
	s.row("load", b.loadAvg+" before the start")
	if p50 < fsyncMin {
		s.note("this disk does not sync: choose another with -dir")
	}
	return s
}

func (b *bench) software() string {
	parts := []string{runtime.Version()}
	for _, name := range []string{"PostgreSQL", "nats-server"} {
		if version := b.versions[name]; version != "" {
			parts = append(parts, name+" "+version)
		}
	}
	return strings.Join(parts, ", ")
}

// processor is the CPU's model, where the system tells.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return output("sysctl", "-n", "machdep.cpu.brand_string")
	}
	for line := range bytes.Lines(info) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return runtime.GOARCH
}

func kernel() string { return output("uname", "-sr") }

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(out))
}

// loadAverage is how many threads wanted to run in the last 1, 5 and 15 minutes.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 3 {
		return unknown
	}
	return strings.Join(fields[:3], " ")
}

// timeFsyncs measures how long the disk under dir takes to make an append durable.
func timeFsyncs(dir string) (took []time.Duration, err error) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	data := make([]byte, fsyncBytes)
	for range fsyncCount {
		started := time.Now()
		if _, err := file.Write(data); err != nil {
			return nil, err
		}
		if err := file.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(started))
	}
	return took, nil
}

// quantile is the value below which that share of the values lies; 0 of none.
func quantile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
