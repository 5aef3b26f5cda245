//go:build browser

package sandbox

import (
	"cmp"
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// shown counts the bubbles of a phone that can be seen.
func shown(phone, want string) string {
	return `[...document.querySelectorAll('#phone-` + phone + ` .bubble')].filter((b) => !b.hidden).length === ` + want
}

// A person writes to the session of WASenderApi and to the number at Meta, which are two
// conversations. The session drops, is logged out, and is linked again by a scan.
func TestSessionInBrowser(t *testing.T) {
	g := newGateway(t)
	b := openTab(t, g.server.URL+"/sandbox/")
	b.until(`document.getElementById('live').dataset.live === 'on' && document.getElementById('session').dataset.status === 'connected'`)
	g.mu.Lock()
	g.ann = b.text(`localStorage.getItem('parley.sandbox.phone-1')`)
	g.mu.Unlock()
	if hidden := b.text(`String(document.getElementById('lines-1').hidden) + document.getElementById('lines-2').hidden`); hidden != "falsetrue" {
		t.Errorf("the choice is hidden: %s", hidden)
	}
	b.do(chromedp.Click("#lines-1 [data-provider=wasender]"), chromedp.SendKeys("#input-1", "Hello\r"))
	g.wants("status connected", "message Hello")
	if _, err := g.sends(g.ann, "Which colour?\n1. Red\n2. Blue"); err != nil {
		t.Fatal(err)
	}
	b.until(last(1, "in") + `?.includes('1. Red')`)
	b.until(`document.getElementById('input-1').placeholder.includes('000 2222') && document.querySelector('#wire-note').textContent.includes('WASenderApi')`)
	b.do(chromedp.Click("#lines-1 [data-provider=meta]"))
	b.until(shown("1", "0"))
	b.do(chromedp.SendKeys("#input-1", "over Meta\r"))
	b.until(shown("1", "1") + ` && document.querySelectorAll('#phone-1 .tick[data-state=accepted]').length === 2`)

	b.do(chromedp.Click("#lines-1 [data-provider=wasender]"), chromedp.Click("#session [data-do=drop]"))
	b.until(shown("1", "2") + ` && document.getElementById('session').textContent.includes('disconnected') && !document.querySelector('#session button')`)
	b.do(chromedp.SendKeys("#input-1", "1\r"))
	b.until(last(1, "out") + ` === '1' && document.querySelector('#phone-1 .tick[data-state=waiting]')`)
	if _, err := g.client.Connect(t.Context(), sessionID, "qr"); err != nil {
		t.Fatal(err)
	}
	b.until(`document.getElementById('session').dataset.status === 'connected' && !document.querySelector('#phone-1 .tick[data-state=waiting]')`)

	b.do(chromedp.Click("#session [data-do=log_out]"))
	b.until(`document.getElementById('session').dataset.status === 'logged_out'`)
	if p, err := g.client.Connect(t.Context(), sessionID, "qr"); err != nil || p.Status != wasender.NeedScan {
		t.Fatalf("%+v, %v", p, err)
	}
	b.until(`document.querySelector('#session [data-do=scan]')`)
	folder := cmp.Or(os.Getenv("SANDBOX_SHOTS"), t.TempDir())
	for _, scheme := range []string{"light", "dark"} {
		b.lookAs(scheme, 390, 844)
		b.shoot(folder, scheme+"-session-phone.png")
		b.lookAs(scheme, 1280, 800)
		b.shoot(folder, scheme+"-session.png")
	}
	b.do(chromedp.Click("#session [data-do=scan]"))
	b.until(`document.querySelector('#session [data-do=drop]')`)
	if !slices.Contains(g.all(), "message 1") {
		t.Errorf("arrived %q", g.all())
	}
	b.wantNoProblems()
}
