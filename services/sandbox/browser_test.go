//go:build browser

package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/rs/zerolog"
)

const chromium = "/usr/bin/chromium"

// tab is a page in a headless browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // console errors, exceptions, requests to other servers
}

// openTab shows url, and collects what goes wrong there from then on.
func openTab(t *testing.T, url string) *tab {
	t.Helper()
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(chromium)}
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	ctx, closeBrowser := chromedp.NewContext(limited, chromedp.WithAllocatorOptions(flags...))
	t.Cleanup(func() { closeBrowser(); cancel() })
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1280, 800))
	if err := chromedp.Listen(ctx, func(event any) { b.watch(url, event) }); err != nil {
		t.Fatal(err)
	}
	b.do(enable(log.Enable, cdp.Empty{}), enable(network.Enable, network.EnableParams{}), chromedp.Navigate(url))
	return b
}

func enable[P any](command cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

func (b *tab) watch(own string, event any) {
	problem := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			problem = "console.error"
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, own) {
			problem = "request to " + e.Request.URL
		}
	}
	if problem != "" {
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for a JavaScript expression to be true. (chromedp's own Poll needs
// eval inside the page, which the page's policy forbids.)
func (b *tab) until(expression string) {
	b.t.Helper()
	promise := fmt.Sprintf(`new Promise((done) => {
		const check = () => { if (%s) done(true); };
		new MutationObserver(check).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		check();
	})`, expression)

	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](promise, chromedp.EvalAwaitPromise)); err != nil {
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

func (b *tab) text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// last is the text of a phone's last bubble of one direction.
func last(phone int, direction string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('#phone-%d .bubble.%s .text')].at(-1)?.textContent`, phone, direction)
}

// lookAs sets the colour scheme and the width of the screen.
func (b *tab) lookAs(scheme string, width, height int64) {
	b.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	b.do(
		enable(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}),
		chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2)),
	)
	if wide := b.text(`String(document.documentElement.scrollWidth - innerWidth)`); wide != "0" && !strings.HasPrefix(wide, "-") {
		b.t.Errorf("at %d px the page is %s px too wide", width, wide)
	}
}

// shoot keeps a picture of the page.
func (b *tab) shoot(folder, name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil || len(picture) < 20_000 {
		b.t.Fatalf("screenshot %s: %d bytes: %v", name, len(picture), err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// dialogue answers like a small flow.
func dialogue(text string) string {
	switch {
	case text == "Hello" || text == "RESTART":
		return "Welcome to Harbour Motors!\nWhat is your name?"
	case strings.Contains(text, "@"):
		return "Thank you, that is all we need. A colleague will write to you tomorrow between 9 and 12."
	case strings.HasPrefix(text, "<"):
		return "I cannot read " + text
	case text == "my car":
		return "That does not look like an email address."
	}
	return "Nice to meet you, " + text + ". What is your email address?"
}

// Two people talk to Parley on one page, and what they type is shown as text.
func TestPageInBrowser(t *testing.T) {
	p := newParley(t)
	p.say = dialogue
	_, server := start(t, p.server.URL)
	p.graph = server.URL + "/sandbox/graph"
	b := openTab(t, server.URL+"/sandbox/")
	b.until(`document.getElementById('live').dataset.live === 'on'`)

	b.do(chromedp.SendKeys("#input-1", "Hello\r"))
	b.until(last(1, "in") + `?.includes('name?')`)
	b.do(chromedp.SendKeys("#input-1", "Ada Lovelace\r"))
	b.until(last(1, "in") + `?.includes('email')`)
	b.do(chromedp.SendKeys("#input-1", "ada@example.com"), chromedp.Click("#send-1"))
	b.until(last(1, "in") + `?.includes('Thank you')`)

	const attack = `<img src=x onerror="window.pwned=1">`
	b.do(chromedp.SendKeys("#input-2", attack+"\r"))
	b.until(last(2, "in") + ` === 'I cannot read ` + attack + `'`)
	if got := b.text(last(2, "out") + ` + typeof window.pwned + document.querySelectorAll('#phone-2 img').length`); got != attack+"undefined0" {
		t.Errorf("hostile text: %s", got)
	}
	b.do(chromedp.SendKeys("#input-2", "my car"), chromedp.Click("#attach-2"), chromedp.Click("#sheet-2 .choice.photo"))
	b.until(last(2, "in") + `?.includes('does not look') && document.querySelector('#phone-2 .bubble.out img').complete`)

	p.refuse(b.text(`document.querySelector('#phone-2 .number').textContent`))
	b.do(chromedp.Click("#restart-2"))
	b.until(`document.querySelector('#phone-2 .tick[data-state=retrying]')`)
	p.refuse("")
	b.until(last(2, "out") + ` === 'RESTART' && ` + last(2, "in") + `?.includes('name?')`)
	b.until(`document.querySelectorAll('.tick[data-state=accepted]').length === 6`)
	b.until(`document.querySelector('#wire-json').textContent.includes('messaging_product')`)
	b.do(chromedp.Click("#input-1"))
	b.until(`document.querySelector('.segment[aria-pressed=true]').textContent === document.querySelector('#phone-1 .name').textContent`)

	folder := t.TempDir()
	for _, scheme := range []string{"light", "dark"} {
		b.lookAs(scheme, 390, 844)
		b.shoot(folder, scheme+"-phone.png")
		b.lookAs(scheme, 1280, 800)
		b.shoot(folder, scheme+".png")
	}

	before := b.text(`document.querySelector('#phone-1 .number').textContent`)
	b.do(chromedp.Click("#new-1"))
	b.until(`document.querySelector('#phone-1 .number').textContent !== '` + before + `' && !document.querySelector('#phone-1 .bubble')`)
	b.until(`document.getElementById('live').dataset.live === 'on'`)
	b.do(chromedp.SendKeys("#input-1", "Hello\r"))
	b.until(last(1, "in") + `?.includes('name?')`)

	b.wantNoProblems()
}

// The switches are turned on the page: the next message is refused, and goes when all
// is well again.
func TestFaultsInBrowser(t *testing.T) {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	b := openTab(t, server.URL+"/sandbox/")
	b.until(`document.getElementById('live').dataset.live === 'on'`)

	b.do(chromedp.Click("#faults-open"))
	b.until(`document.getElementById('faults').matches(':popover-open') && document.getElementById('faults-way').options.length === 14`)
	b.do(chromedp.Click("#faults-add"))
	b.until(`document.querySelector('#faults-list li')?.textContent.endsWith('the next message, hit 0')`)
	if on := s.faults.List(); len(on) != 1 || on[0].Code != 130429 || on[0].Next != 1 {
		t.Fatalf("on: %+v", on)
	}
	person := b.text(`localStorage.getItem('parley.sandbox.phone-1')`)
	for _, want := range []int{http.StatusTooManyRequests, http.StatusOK} {
		if status, answer := send(t, server.URL+"/sandbox/graph", person, "hello"); status != want {
			t.Fatalf("%d %s, want %d", status, answer, want)
		}
	}
	b.until(`document.querySelector('#faults-list li.over')?.textContent.endsWith('over, hit 1')`)
	b.until(`document.getElementById('faults-on').hidden`)

	b.do(chromedp.SetValue("#faults-often", "every"), chromedp.SetValue("#faults-way", "12"), chromedp.Click("#faults-add"))
	b.until(`document.getElementById('faults-on').textContent === '1'`)
	folder := t.TempDir()
	for _, scheme := range []string{"light", "dark"} {
		b.lookAs(scheme, 390, 844)
		b.shoot(folder, scheme+"-phone.png")
		b.lookAs(scheme, 1280, 800)
		b.shoot(folder, scheme+".png")
	}
	b.do(chromedp.Click("#faults-reset"))
	b.until(`!document.querySelector('#faults-list li')`)
	if on := s.faults.List(); len(on) != 0 {
		t.Errorf("on: %+v", on)
	}
	b.wantNoProblems()
}

// wantNoProblems reports whatever the browser complained of.
func (b *tab) wantNoProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Error(problem)
	}
}

// When the sandbox is restarted, an open page says that its history is gone, and
// its people go on talking.
func TestPageSurvivesRestart(t *testing.T) {
	p := newParley(t)
	var now atomic.Pointer[http.Handler]
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*now.Load()).ServeHTTP(w, r) }))
	t.Cleanup(func() { page.CloseClientConnections(); page.Close() })
	p.graph = page.URL + "/sandbox/graph"
	run := func() (stop func()) {
		s := New(Config{WebhookURL: p.server.URL, Secret: testSecret, Channel: testChannel, Log: zerolog.Nop()})
		handler := s.Handler()
		now.Store(&handler)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		return func() { cancel(); <-ended }
	}

	stop := run()
	b := openTab(t, page.URL+"/sandbox/")
	b.until(`document.getElementById('live').dataset.live === 'on'`)
	b.do(chromedp.SendKeys("#input-1", "before\r"))
	b.until(last(1, "in") + ` === 'You said: before'`)
	before := b.text(`document.querySelector('#phone-1 .number').textContent`)
	stop()
	defer run()()
	b.until(`document.querySelector('#history-1').textContent.includes('restarted')`)
	b.do(chromedp.SendKeys("#input-1", "after\r"))
	b.until(last(1, "in") + ` === 'You said: after'`)
	if after := b.text(`document.querySelector('#phone-1 .number').textContent`); after != before {
		t.Errorf("%s became %s", before, after)
	}
}
