//go:build browser

package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// sendKind has the business send any kind of message through the Graph API.
func sendKind(t *testing.T, graph, to, typ, content string) {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"messaging_product": "whatsapp", "to": to, "type": typ, typ: json.RawMessage(content)})
	req, _ := http.NewRequest(http.MethodPost, graph+"/v25.0/"+testChannel+"/messages", strings.NewReader(string(body)))
	req.Header.Set("Authorization", "Bearer token")
	if status, answer := do(t, req); status != http.StatusOK {
		t.Fatalf("%s: %d %s", typ, status, answer)
	}
}

// stage is a page whose first phone is in the hands of a test.
type stage struct {
	*tab
	s      *Sandbox
	parley *parley
	graph  string
	person string
}

func newStage(t *testing.T) *stage {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	b := openTab(t, server.URL+"/sandbox/")
	b.until(`document.getElementById('live').dataset.live === 'on'`)
	b.lookAs("light", 1280, 800)
	person := b.text(`localStorage.getItem('parley.sandbox.phone-1')`)
	return &stage{tab: b, s: s, parley: p, graph: server.URL + "/sandbox/graph", person: person}
}

// show has the business send something, and waits for it to be on the phone.
func (g *stage) show(typ, content string) {
	g.t.Helper()
	before := g.text(`String(document.querySelectorAll('#phone-1 .bubble.in').length)`)
	sendKind(g.t, g.graph, g.person, typ, content)
	g.until(`document.querySelectorAll('#phone-1 .bubble.in').length > ` + before)
}

// smuggle shows what the Graph API would not take.
func (g *stage) smuggle(typ, content string) {
	g.t.Helper()
	before := g.text(`String(document.querySelectorAll('#phone-1 .bubble.in').length)`)
	body := `{"` + typ + `":` + content + `}`
	g.s.receive(g.t.Context(), fake.Send{Channel: testChannel, To: g.person, Type: typ, Body: []byte(body)})
	g.until(`document.querySelectorAll('#phone-1 .bubble.in').length > ` + before)
}

// wantPosted waits for a webhook of a message, and wants it to hold something.
func (g *stage) wantPosted(n int, parts ...string) {
	g.t.Helper()
	var posted []string
	until(g.t, g.s, fmt.Sprint(n, " messages"), func() bool {
		posted = nil
		for _, a := range g.parley.accepted() {
			if a.from != "" {
				posted = append(posted, strings.ReplaceAll(a.body, `\/`, "/"))
			}
		}
		return len(posted) >= n
	})
	for _, part := range parts {
		if !strings.Contains(posted[n-1], part) {
			g.t.Errorf("message %d: %s\nhas no %s", n, posted[n-1], part)
		}
	}
}

// wamid is the name of the newest message of the business.
func (g *stage) wamid() string {
	heard := g.s.book.heard(g.person, 0)
	return heard[len(heard)-1].WAMID
}

// Buttons, rows, forms and quick replies are tapped, and the tap names its message.
func TestTapsInBrowser(t *testing.T) {
	g := newStage(t)
	g.show("interactive", buttons)
	first := g.wamid()
	g.show("interactive", rows)
	g.do(chromedp.Click("#phone-1 .tap[data-id=y]")) // a newer message does not take it away
	g.wantPosted(1, `"button_reply":{"id":"y","title":"Yes"}`, `"id":"`+first+`"`)
	g.until(last(1, "out") + ` === 'Yes' && document.querySelector('#phone-1 .bubble.out .quote')?.textContent === 'Sure?'`)

	g.do(chromedp.Click("#phone-1 .tap[aria-haspopup]"))
	g.until(`document.querySelector('#sheet-1').open && document.activeElement.dataset.id === 'r1' && document.querySelector('#phone-1 .composer').inert`)
	g.shot("list.png")
	g.do(chromedp.Click("#sheet-1 .row[data-id=r2]"))
	g.wantPosted(2, `"list_reply":{"id":"r2","title":"Second"}`, `"id":"`+g.wamid()+`"`)
	g.until(`!document.querySelector('#sheet-1').open && !document.querySelector('#phone-1 .composer').inert`)

	g.show("template", template)
	g.do(chromedp.Click("#phone-1 .tap[data-id=p1]"))
	g.wantPosted(3, `"button":{"payload":"p1","text":"p1"}`, `"id":"`+g.wamid()+`"`)
	g.wantNoProblems()
}

// A form is filled in, closed without an answer, and filled in freely if it says
// nothing about its fields.
func TestFormsInBrowser(t *testing.T) {
	g := newStage(t)
	g.show("interactive", formed)
	open := func() { g.do(chromedp.Click("#phone-1 .bubble:last-child .tap")) }
	open()
	g.until(`document.querySelector('#sheet-1 .facts')?.textContent === 'screenFIRSTplangold' && document.activeElement.name === 'city'`)
	g.do(chromedp.Click("#sheet-1 .close"))
	g.until(`!document.querySelector('#sheet-1').open && document.activeElement.textContent === 'Open'`)
	open()
	g.do(chromedp.SendKeys("#sheet-1 [name=city]", "Lima"), chromedp.Click("#sheet-1 [name=agree]"))
	g.text(`(document.querySelector('#sheet-1 [name=size]').value = 'M')`)
	g.lookAs("dark", 390, 844)
	g.shot("form.png")
	g.do(chromedp.Click("#sheet-1 .send-form"))
	g.wantPosted(1, `"nfm_reply"`, `{\"agree\":true,\"city\":\"Lima\",\"flow_token\":\"T1\",\"size\":\"M\"}`, `"id":"`+g.wamid()+`"`)

	g.show("interactive", `{"type":"flow","body":{"text":"Free"},"action":{"name":"flow","parameters":{"flow_message_version":"3","flow_id":"1","flow_cta":"Open","flow_token":"T2"}}}`)
	open()
	g.do(chromedp.Click("#sheet-1 .more"), chromedp.SendKeys("#sheet-1 .pair:nth-of-type(2) [aria-label=Name]", "a"),
		chromedp.SendKeys("#sheet-1 .pair:nth-of-type(2) [aria-label=Value]", "b\r"))
	g.wantPosted(2, `{\"a\":\"b\",\"flow_token\":\"T2\"}`)
	g.wantNoProblems()
}

// The attachments each ask for what they need.
func TestAttachmentsInBrowser(t *testing.T) {
	g := newStage(t)
	attach := func(kind string) {
		g.do(chromedp.Click("#attach-1"), chromedp.Click("#sheet-1 .choice."+kind))
	}
	attach("file")
	g.do(chromedp.SendKeys("#sheet-1 [name=text]", "my cv\r"))
	g.wantPosted(1, `"document":{`, `"filename":"document.pdf"`, `"caption":"my cv"`)
	attach("pin")
	g.do(chromedp.Click("#sheet-1 .send-form"))
	g.wantPosted(2, `"latitude":-34.6083,"longitude":-58.3712,"name":"Plaza de Mayo"`)
	attach("person")
	g.do(chromedp.Click("#sheet-1 .send-form"))
	g.wantPosted(3, `"formatted_name":"Grace Hopper"`)
	g.until(last(1, "out") + ` === 'my cv' && [...document.querySelectorAll('#phone-1 .card b')].map((b) => b.textContent).join() === 'document.pdf,Plaza de Mayo,Grace Hopper'`)

	g.do(chromedp.Click("#attach-1"), chromedp.SendKeys("#sheet-1 .choice", "\x1b"))
	g.until(`!document.querySelector('#sheet-1').open && document.activeElement.id === 'attach-1'`)
	g.wantNoProblems()
}

// What a message asks for is shared by its button: the own number, and a place.
func TestSharesInBrowser(t *testing.T) {
	g := newStage(t)
	g.show("interactive", `{"type":"request_contact_info","body":{"text":"Your number?"},"action":{"name":"request_contact_info"}}`)
	g.do(chromedp.Click("#phone-1 .bubble:last-child .tap"))
	g.wantPosted(1, `"origin":"contact_request"`, `"wa_id":"`+g.text(`document.querySelector('#phone-1 .number').textContent.replace(/\D/g, '')`)+`"`, `"id":"`+g.wamid()+`"`)
	g.show("interactive", `{"type":"location_request_message","body":{"text":"Where?"},"action":{"name":"send_location"}}`)
	g.do(chromedp.Click("#phone-1 .bubble:last-child .tap"), chromedp.Click("#sheet-1 .send-form"))
	g.wantPosted(2, `"latitude":-34.6083`, `"id":"`+g.wamid()+`"`)
	g.shot("shares.png")
	g.wantNoProblems()
}

// What the business sends is drawn as WhatsApp draws it, and never as markup.
func TestKindsInBrowser(t *testing.T) {
	g := newStage(t)
	g.show("text", `{"body":"*bold* and _it *both*_, ~gone~\n2*3*4 snake_case_name * no * <b>x</b>"}`)
	const styled = `<strong>bold</strong> and <em>it <strong>both</strong></em>, <s>gone</s>|2*3*4 snake_case_name * no * &lt;b&gt;x&lt;/b&gt;`
	if got := g.text(`document.querySelector('#phone-1 .bubble.in .text').innerHTML.replace('\n', '|')`); got != styled {
		t.Errorf("text: %s", got)
	}
	g.show("image", `{"link":"https://example.org/a.png","caption":"*A* picture"}`)
	g.show("document", `{"id":"M1","filename":"a.pdf"}`)
	g.show("sticker", `{"id":"M2"}`)
	g.show("location", `{"latitude":1.5,"longitude":-2.5,"name":"Home"}`)
	g.show("contacts", `[{"name":{"formatted_name":"Bo","first_name":"Bo"},"phones":[{"phone":"+1 555"}]}]`)
	cards := g.text(`[...document.querySelectorAll('#phone-1 .card .words')].map((w) => [...w.children].map((c) => c.textContent).join('/')).join(' ')`)
	if cards != `Photo/https://example.org/a.png a.pdf/Document/media M1 Sticker/media M2 Home/1.5, -2.5 Bo/+1 555` {
		t.Errorf("cards: %s", cards)
	}
	const link = `{"type":"cta_url","body":{"text":"Pay"},"action":{"name":"cta_url","parameters":{"display_text":"Pay now","url":"%s"}}}`
	g.show("interactive", fmt.Sprintf(link, "https://example.org/pay?x=1"))
	g.smuggle("interactive", fmt.Sprintf(link, "javascript:alert(1)"))
	if got := g.text(`[...document.querySelectorAll('#phone-1 a')].map((a) => [a.textContent, a.href, a.target, a.rel].join()).join(' ')`); got != "Pay now,https://example.org/pay?x=1,_blank,noopener noreferrer" {
		t.Errorf("links: %s", got)
	}
	g.show("template", template)
	g.lookAs("dark", 390, 844)
	g.shot("kinds-phone.png")
	g.lookAs("light", 1280, 800)
	g.shot("kinds.png")
	for _, odd := range []string{`{}`, `null`, `{"type":"constructor","body":1,"action":7}`, `{"type":"list","action":{"sections":{}}}`, `{"type":"button","header":{"type":"image"},"action":{"buttons":[null,{}]}}`} {
		g.smuggle("interactive", odd)
		g.smuggle("template", odd)
	}
	g.smuggle("contacts", `[null,{"name":7}]`)
	g.wantNoProblems()
}

// A reaction stands on the message that it is about, until it is taken away. The
// dots stand at the end until the business has written.
func TestReactionsAndTypingInBrowser(t *testing.T) {
	g := newStage(t)
	g.do(chromedp.SendKeys("#input-1", "Hello\r"))
	g.wantPosted(1)
	mine := g.s.book.view(g.person).Bubbles[0].WAMID
	g.show("reaction", `{"message_id":"`+mine+`","emoji":"👍"}`)
	g.until(`document.querySelector('#phone-1 .bubble.out .reaction')?.textContent === '👍' && document.querySelector('#phone-1 .bubble.in')?.hidden`)
	g.show("reaction", `{"message_id":"`+mine+`","emoji":""}`)
	g.until(`!document.querySelector('#phone-1 .reaction')`)
	g.show("reaction", `{"message_id":"wamid.Unknown","emoji":"🎉"}`)
	g.until(`document.querySelector('#phone-1 .bubble.in:last-child')?.hidden === false`)

	g.s.receive(t.Context(), fake.Send{Type: "typing", MessageID: mine})
	g.until(`document.querySelector('#phone-1 .bubble:last-child')?.matches('.typing')`)
	g.do(chromedp.SendKeys("#input-1", "Still there?\r"))
	g.until(last(1, "out") + ` === 'Still there?' && document.querySelector('#phone-1 .bubble:last-child')?.matches('.typing')`)
	g.show("text", `{"body":"yes"}`)
	g.until(`!document.querySelector('#phone-1 .typing')`)
	g.wantNoProblems()
}

// shot keeps a picture for somebody who asked for it with SANDBOX_SHOTS.
func (g *stage) shot(name string) {
	if folder := os.Getenv("SANDBOX_SHOTS"); folder != "" {
		g.shoot(folder, name)
	}
}
