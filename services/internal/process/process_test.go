package process

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary play the program that the tests run.
func TestMain(m *testing.M) {
	switch addr := os.Getenv("TEST_PROGRAM"); addr {
	case "":
		os.Exit(m.Run())
	case "fail":
		fmt.Println("the reason stands here")
		os.Exit(3)
	default:
		mux := http.NewServeMux()
		mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, os.Getenv("PARLEY_GIVEN"), os.Getenv("PARLEY_OURS"))
		})
		fmt.Println(http.ListenAndServe(addr, mux))
	}
}

func start(t *testing.T, env ...string) *Process {
	t.Helper()
	p, err := Start(Command{Path: os.Args[0], Env: env, Output: filepath.Join(t.TempDir(), "output")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadyAndStopped(t *testing.T) {
	t.Setenv("PARLEY_OURS", "leaked")
	addr, err := FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "TEST_PROGRAM="+addr, "PARLEY_GIVEN=given")
	if err := p.AwaitReady(t.Context(), "http://"+addr); err != nil {
		t.Fatal(err)
	}
	response, err := http.Get("http://" + addr + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || string(said) != "given" {
		t.Errorf("the program knows %q, %v; want what it was given and nothing of ours", said, err)
	}
	// The program does not handle SIGTERM: Stop says how it ended.
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("stopped: %v, want that it was terminated", err)
	}
	select {
	case <-p.Ended():
	default:
		t.Error("stopped, but not ended")
	}
}

func TestEndsBeforeItIsReady(t *testing.T) {
	p := start(t, "TEST_PROGRAM=fail")
	err := p.AwaitReady(t.Context(), "http://127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the reason stands here") {
		t.Errorf("%v, want the exit status and what it wrote", err)
	}
}

func TestBuildReportsTheCompiler(t *testing.T) {
	err := Build(t.Context(), t.TempDir(), "internal/nowhere")
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v, want the name of what cannot be built", err)
	}
	if _, err := Start(Command{Path: "/nowhere", Output: filepath.Join(t.TempDir(), "output")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that the file does not exist", err)
	}
}
