//go:build browser

package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/parleyhq/parley/pkg/store"
)

// tab is the console in a headless browser.
type tab struct {
	t   *testing.T
	url string
	ctx context.Context

	mu       sync.Mutex
	problems []string // console errors, exceptions, requests to other servers
}

// openTab shows the console of a site, and collects what goes wrong there.
func openTab(t *testing.T, s *site) *tab {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", s)
	pages(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath("/usr/bin/chromium")}
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	ctx, closeBrowser := chromedp.NewContext(limited, chromedp.WithAllocatorOptions(flags...))
	t.Cleanup(func() { closeBrowser(); cancel() })
	b := &tab{t: t, ctx: ctx, url: server.URL + "/"}
	b.do(chromedp.EmulateViewport(1280, 900))
	if err := chromedp.Listen(ctx, b.watch); err != nil {
		t.Fatal(err)
	}
	b.do(enable(log.Enable, cdp.Empty{}), enable(network.Enable, network.EnableParams{}), chromedp.Navigate(b.url))
	return b
}

func enable[P any](command cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

func (b *tab) watch(event any) {
	problem := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// That somebody is not logged in, or not known, the browser calls an error too.
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 4") {
			problem = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			problem = "console.error"
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.url) && !strings.HasPrefix(e.Request.URL, "data:") { // as the picture of a date field
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
		const timer = setInterval(() => {
			try { if (%s) { clearInterval(timer); done(true); } } catch { /* what it asks for is not there yet */ }
		}, 20);
	})`, expression)
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](promise, chromedp.EvalAwaitPromise)); err != nil {
		b.t.Fatalf("waiting for %s: %v\n%s", expression, err, b.problems)
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

// open shows a page of the console.
func (b *tab) open(hash string) {
	b.t.Helper()
	view := strings.SplitN(hash, "?", 2)[0]
	b.text(fmt.Sprintf(`location.hash = %q`, "#/"+hash))
	b.until(fmt.Sprintf(`document.getElementById('main').dataset.view === %q && !document.querySelector('[role=status].note')`, view))
}

// shoot takes pictures of what is shown: light and dark, wide and on a phone. None may
// be wider than its screen.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("PARLEY_SCREENSHOTS")
	if folder == "" {
		folder = b.t.TempDir()
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, size := range [][2]int64{{1280, 900}, {390, 844}} {
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
			b.do(enable(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}), chromedp.EmulateViewport(size[0], size[1]))
			if wide := b.text(`String(document.documentElement.scrollWidth - innerWidth)`); wide != "0" && !strings.HasPrefix(wide, "-") {
				b.t.Errorf("%s is %s px wider than a screen of %d", name, wide, size[0])
			}
			picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, size[0])), picture, 0o644)
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

func (b *tab) wantNoProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Error(problem)
	}
}

const (
	attack = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`
	bidi   = "\u202eevil\u202c \u2066x"
)

// Everything can be looked at, with data and without, and nothing that a person wrote
// becomes more than text.
func TestConsoleInBrowser(t *testing.T) {
	s := newSite(t, "secret")
	b := openTab(t, s)
	b.until(`document.getElementById('token')`)
	b.do(chromedp.SendKeys("#token", "wrong\r"))
	b.until(`document.querySelector('.problem').textContent.includes('not the token')`)
	b.shoot("login")
	b.do(chromedp.SendKeys("#token", "secret\r"))
	b.until(`document.getElementById('main').dataset.view === 'status'`)

	for view, empty := range map[string]string{
		"messages": "Nothing was said yet", "contact": "Give a phone number", "funnels": "No flow is published",
		"campaigns": "There are no campaigns", "deliveries": "No send waits for a word", "letters": "no dead letters", "calls": "No call failed", "webhooks": "0 still to be told, 0 given up",
	} {
		b.open(view)
		b.until(fmt.Sprintf(`document.querySelector('.note').textContent.includes(%q)`, empty))
	}
	b.open("contact?contact=15559999")
	b.until(`document.querySelector('.note').textContent.includes('Nobody of that phone')`)

	s.seed()
	s.watched("need_scan", "scan")
	if err := s.store.SetSessionCode(t.Context(), "shop", scanCode, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.says(12, func(i int) string {
		return []string{"Hello", attack, bidi, "a longer one, " + strings.Repeat("word ", 30)}[i%4]
	})
	ada := store.ContactID("n1", "16505551234")
	if _, err := s.conn.Exec(t.Context(), `UPDATE messages SET contact_id = $1, direction = CASE "offset" % 3 WHEN 0 THEN 'out' ELSE 'in' END`, ada); err != nil {
		t.Fatal(err)
	}
	b.open("status")
	b.until(`document.querySelector('.qr')?.naturalWidth > 0 && document.querySelector('.alarms').textContent.includes('scan the QR code')`)
	b.shoot("status")
	b.open("messages")
	b.until(`document.querySelectorAll('.log li').length === 12`)
	b.shoot("messages")
	b.open("messages?raw=1")
	b.until(`document.querySelector('#f-raw').checked && document.querySelectorAll('.log details pre').length === 12`)
	if got := b.text(`[...document.querySelectorAll('.log pre')].at(-1).textContent`); got != "{\n  \"n\": 0\n}" {
		t.Errorf("as it came: %s", got)
	}
	b.open("messages?contact=16505551234")
	b.until(`document.querySelectorAll('.bubble').length === 12`)
	if got := b.text(`[...document.querySelectorAll('.bubble bdi')].map((e) => e.textContent)[1] + typeof window.pwned + document.querySelectorAll('main img').length`); got != attack+"undefined0" {
		t.Errorf("hostile text: %s", got)
	}
	before := len(s.lanes())
	b.do(chromedp.SendKeys("#r-text", "Hello, this is Ana.\r"))
	b.until(`document.querySelector('.problem').textContent.includes('Say who you are')`)
	b.do(chromedp.ScrollIntoView("#r-text"))
	b.shoot("conversation")
	b.do(chromedp.SendKeys("#r-by", "Ana\r"))
	b.until(`document.querySelector('#r-text')?.value === '' && document.querySelector('#r-by').value === 'Ana'`)
	if got := s.lanes()[before:]; len(got) != 1 || got[0].input.GetOperatorAction().GetText().GetBody() != "Hello, this is Ana." || got[0].input.GetOperatorAction().GetBy() != "Ana" {
		t.Errorf("ordered: %+v, %s", got, b.text(`document.querySelector('.problem')?.textContent`))
	}
	b.open("contact?contact=16505551234")
	b.until(`document.querySelectorAll('.events li').length > 3`)
	b.do(chromedp.Click("details summary"))
	b.shoot("contact")
	b.open("contact?contact=ada") // one person
	b.until(`document.querySelectorAll('.events li').length > 3`)
	if _, err := s.conn.Exec(t.Context(), `UPDATE contacts SET name = 'Ada ' || $2, username = 'hid.den' WHERE id = $1`, store.ContactID("n2", "US.77"), attack); err != nil {
		t.Fatal(err)
	}
	b.open("messages?contact=ad")
	b.until(`document.querySelectorAll('tbody tr').length === 2 && document.querySelector('tbody').textContent.includes('@hid.den')`)
	b.shoot("people")
	b.do(chromedp.Click("tbody tr:first-child a"))
	b.until(`document.querySelectorAll('.bubble').length === 12`)
	b.open("contact?contact=@nobody")
	b.until(`document.querySelector('.note').textContent.includes('Nobody has that name')`)
	b.open("funnels")
	b.until(`document.querySelectorAll('.funnel li').length > 1`)
	b.shoot("funnels")
	s.calls()
	b.open("campaigns")
	b.until(`document.querySelectorAll('tbody tr').length === 1`)
	b.open("campaigns?name=spring")
	b.text(`window.confirm = () => true, ''`)
	b.until(`document.querySelector('tbody').textContent.includes('refused: in a conversation')`)
	b.shoot("campaign")
	b.do(chromedp.Click("#do-pause"))
	b.until(`document.querySelector('.title .chip').textContent === 'paused' && document.getElementById('do-resume')`)
	s.delivers("ambiguous", "failed", "accepted/read")
	b.open("deliveries")
	b.text(`window.confirm = () => true, ''`)
	b.until(`document.querySelectorAll('[id^=resend-]').length === 1`)
	b.shoot("deliveries")
	b.do(chromedp.Click("[id^=resend-]"))
	b.until(`[...document.querySelectorAll('td .chip')].some((chip) => chip.textContent.includes('ordered'))`)
	b.open("deliveries?contact=15550100001")
	b.until(`document.querySelectorAll('tbody tr').length === 3`)
	b.open("deliveries?state=was")
	b.until(`document.querySelector('.note')?.textContent.includes('without a clear answer') || document.querySelectorAll('tbody tr').length > 0`)
	b.open("letters")
	b.do(chromedp.Click("[id^=redrive-]"))
	b.until(`document.querySelector('td .chip.wait')?.textContent && document.body.textContent.includes('ordered')`)
	b.shoot("letters")
	b.do(chromedp.Click("#logout"))
	b.until(`document.getElementById('token')`)
	b.wantNoProblems()
}

// What was given up is told again when somebody says so.
func TestWebhooksInBrowser(t *testing.T) {
	s := newSite(t, "")
	s.tells("queued", "dead", "dead")
	b := openTab(t, s)
	b.open("webhooks")
	b.until(`document.querySelectorAll('[id^=redrive-]').length === 2 && document.getElementById('main').textContent.includes('1 still to be told, 2 given up')`)
	b.shoot("webhooks")
	b.do(chromedp.Click("#redrive-evt_3_2"))
	b.until(`document.querySelector('td .chip.wait')?.textContent === 'ordered'`)
	b.open("webhooks?state=queued")
	b.until(`document.querySelectorAll('tbody tr').length === 2 && document.querySelectorAll('[id^=redrive-]').length === 0`)
	b.wantNoProblems()
}

// What a person orders on the page reaches whoever watches the session, and a refusal
// is shown.
func TestConsoleOrdersInBrowser(t *testing.T) {
	s := newSite(t, "")
	s.watched("logged_out", "logged_out")
	b := openTab(t, s)
	b.until(`document.getElementById('connect-shop')`)
	if got := b.text(`String(document.getElementById('logout').hidden)`); got != "true" {
		t.Error("there is a way out where there is no login")
	}
	var orders []string
	s.obeys("no_token", "logged_out", &orders)
	b.do(chromedp.Click("#connect-shop"))
	b.until(`document.querySelector('.session .problem').textContent.includes('PARLEY_WASENDER_ACCOUNT_TOKEN')`)
	b.shoot("refused")
}
