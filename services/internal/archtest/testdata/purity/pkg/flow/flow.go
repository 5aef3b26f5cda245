package flow

import (
	"context" // bad
	"fmt"
	"log" // bad
	"math/rand/v2" // bad
	"os" // bad
	. "strings" // bad
	"sync" // bad
	clock "time"
)

type lines chan string // bad

func bad(ctx context.Context, mu *sync.Mutex, out lines) {
	go fmt.Sprint() // bad
	out <- "x" // bad
	_ = clock.Now() // bad
	_ = clock.Since // bad
	clock.Sleep(1) // bad
	_, _ = clock.LoadLocation("") // bad
	fmt.Println() // bad
	println(ToUpper("x")) // bad
	log.Print(os.Args, rand.Int())
}

func good(time fake) string {
	print := fmt.Sprintf("%s", 3*clock.Second)
	return print + time.Now()
}

type fake struct{}

func (fake) Now() string { return "a method of ours" }
