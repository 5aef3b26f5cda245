package dispatcher

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	wasenderfake "github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// album is a Graph API that keeps files, and a database that has one.
type album struct {
	t       *testing.T
	db      *database
	server  *httptest.Server
	uploads atomic.Int32
	// refuseUpload refuses uploads, and refuseSend the sends that it has an answer for.
	refuseUpload atomic.Bool
	refuseSend   func(body string) *fake.Answer
	hold         chan struct{} // uploads wait for it, if it is there
	mu           sync.Mutex
	sent         []string // the requests
}

const picture = "00000000000000000000000000000000000000000000000000000000000000aa"

func newAlbum(t *testing.T) *album {
	a := &album{t: t, db: newDatabase(t)}
	if err := a.db.SaveFile(t.Context(), picture, "image/png", []byte("pixels")); err != nil {
		t.Fatal(err)
	}
	a.server = httptest.NewServer(&fake.Graph{OnUpload: a.upload, OnSend: a.send})
	t.Cleanup(a.server.Close)
	return a
}

func (a *album) upload(u fake.Upload) string {
	if a.hold != nil {
		<-a.hold
	}
	if string(u.Content) != "pixels" || u.MimeType != "image/png" || u.Channel != "n1" {
		a.t.Errorf("uploaded %q as %s for %s", u.Content, u.MimeType, u.Channel)
	}
	n := a.uploads.Add(1)
	if a.refuseUpload.Load() {
		return ""
	}
	return "media-" + strconv.Itoa(int(n))
}

func (a *album) send(_ context.Context, s fake.Send) fake.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, string(s.Body))
	if a.refuseSend != nil {
		if answer := a.refuseSend(string(s.Body)); answer != nil {
			return *answer
		}
	}
	return fake.Answer{WAMID: "wamid.1"}
}

// replica is a dispatcher's sender, with a memory of its own.
func (a *album) replica() *sender {
	c := meta.NewClient(a.server.URL+"/v25.0", "token", a.server.Client())
	s := newSender(func(string) client { return c }, zerolog.Nop())
	s.uploads = newUploads(a.db.Store, func(string) uploader { return c }, func(string) bool { return false })
	return s
}

// through sends a message with the picture, and returns what came of it.
func (a *album) through(s *sender, offset uint64, content *parleyv1.MessageQueued) outcome {
	a.t.Helper()
	content.Phone = "16505551234"
	data, err := proto.Marshal(content)
	if err != nil {
		a.t.Fatal(err)
	}
	j := job("a", 1, offset)
	j.Content = data
	done := make(chan outcome, 1)
	own := *s // its uploads are shared
	own.finish = func(j Job, wamid string, err error) { done <- outcome{j, wamid, err, start} }
	own.launch(j)
	return <-done
}

func withPicture() *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Media{Media: &parleyv1.Media{Kind: "image", Sha256: picture, MimeType: "image/png", Caption: "ours"}}}
}

func withHeader() *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: &parleyv1.Buttons{
		Header: &parleyv1.Header{Media: withPicture().GetMedia()}, Body: "b", Buttons: []*parleyv1.Button{{Id: "x", Title: "X"}},
	}}}
}

func (a *album) want(uploads int, bodies ...string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if int(a.uploads.Load()) != uploads || len(a.sent) != len(bodies) {
		a.t.Fatalf("%d uploads, sent %q", a.uploads.Load(), a.sent)
	}
	for i, part := range bodies {
		if !strings.Contains(a.sent[i], part) {
			a.t.Errorf("send %d is %s, want %s", i, a.sent[i], part)
		}
	}
}

// A file is uploaded once for a channel, however many messages and replicas send it.
func TestFileIsUploadedOnce(t *testing.T) {
	a := newAlbum(t)
	replicas := []*sender{a.replica(), a.replica(), a.replica()}
	a.hold = make(chan struct{})
	var all sync.WaitGroup
	const each = 8
	for i := range each * len(replicas) {
		all.Go(func() {
			if o := a.through(replicas[i%len(replicas)], uint64(i+1), withPicture()); o.err != nil {
				t.Error(o.err)
			}
		})
	}
	close(a.hold)
	all.Wait()
	var bodies []string
	for range each * len(replicas) {
		bodies = append(bodies, `"image":{"id":"media-1","caption":"ours"}`)
	}
	a.want(1, bodies...)
	if o := a.through(a.replica(), 100, withHeader()); o.err != nil {
		t.Fatal(o.err)
	}
	a.want(1, append(bodies, `"header":{"type":"image","image":{"id":"media-1"}}`)...)
}

// What the provider has no more is uploaded again, once; what it refuses although it
// has just been uploaded is refused for good.
func TestFileIsUploadedAgain(t *testing.T) {
	a := newAlbum(t)
	s := a.replica()
	now := time.Now()
	s.uploads.now = func() time.Time { return now }
	if o := a.through(s, 1, withPicture()); o.err != nil {
		t.Fatal(o.err)
	}
	unknown := fake.Refusal(http.StatusBadRequest, 100, "Param image['id'] is not a valid whatsapp business account media attachment ID")
	a.refuseSend = func(body string) *fake.Answer {
		if strings.Contains(body, "media-1") {
			return &unknown
		}
		return nil
	}
	if class := a.through(s, 2, withPicture()).policy().Class; class != meta.Permanent {
		t.Fatalf("just uploaded: %s", class)
	}
	now = now.Add(time.Hour)
	if class := a.through(s, 2, withPicture()).policy().Class; class != meta.Retry {
		t.Fatalf("gone: %s", class)
	}
	if o := a.through(s, 2, withPicture()); o.err != nil {
		t.Fatalf("again: %v", o.err)
	}
	a.want(2, "media-1", "media-1", "media-1", "media-2")
	now = now.Add(idGoodFor) // what has run out is not tried
	if _, err := a.db.conn.Exec(t.Context(), `UPDATE uploads SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	if o := a.through(s, 3, withPicture()); o.err != nil {
		t.Fatal(o.err)
	}
	a.want(3, "media-1", "media-1", "media-1", "media-2", "media-3")
}

// A file that cannot be uploaded holds its message back, without a call, and the next
// attempt uploads it; one that is not there fails it.
func TestFileIsNotUploaded(t *testing.T) {
	a := newAlbum(t)
	s := a.replica()
	a.refuseUpload.Store(true)
	o := a.through(s, 1, withPicture())
	if refused := o.policy(); refused.Class != meta.Retry || refused.Code != 131053 {
		t.Errorf("refused: %+v", refused)
	}
	a.refuseUpload.Store(false)
	if o = a.through(s, 1, withPicture()); o.err != nil {
		t.Error(o.err)
	}
	a.want(2, "media-2")
	lost := withPicture()
	lost.GetMedia().Sha256 = strings.Repeat("b", 64)
	if class := a.through(s, 2, lost).policy().Class; class != meta.Permanent {
		t.Errorf("no such file: %s", class)
	}
	a.server.Close()
	again := withPicture()
	if err := a.db.SaveFile(t.Context(), strings.Repeat("c", 64), "image/png", []byte("pixels")); err != nil {
		t.Fatal(err)
	}
	again.GetMedia().Sha256 = strings.Repeat("c", 64)
	if class := a.through(s, 3, again).policy().Class; class != meta.Retry {
		t.Errorf("the provider is away: %s", class)
	}
	a.want(2, "media-2")
}

// WASenderApi gives an address for a file, and it is what is sent.
func TestFileAtTheGateway(t *testing.T) {
	db := newDatabase(t)
	if err := db.SaveFile(t.Context(), picture, "image/png", []byte("pixels")); err != nil {
		t.Fatal(err)
	}
	var link string
	api := &wasenderfake.Server{OnSend: func(_ context.Context, s wasenderfake.Send) wasenderfake.Answer {
		link = s.Link
		return wasenderfake.Answer{}
	}}
	api.Add(wasenderfake.Session{ID: 1, APIKey: "key", Status: "connected", Linked: true})
	server := httptest.NewServer(api)
	defer server.Close()
	c := wasender.NewClient(wasender.Options{BaseURL: server.URL + "/api", Key: func(string) string { return "key" }, HTTP: server.Client(), JoinWithin: -1})
	s := newSender(func(string) client { return c }, zerolog.Nop())
	s.uploads = newUploads(db.Store, func(string) uploader { return c }, func(string) bool { return true })
	a := &album{t: t, db: db}
	for offset := range uint64(2) {
		if o := a.through(s, offset+1, withPicture()); o.err != nil {
			t.Fatal(o.err)
		}
	}
	if !strings.HasPrefix(link, "https://files.example/") || api.Requests("POST /upload") != 1 {
		t.Errorf("sent %s after %d uploads", link, api.Requests("POST /upload"))
	}
}

// An upload whose outcome nobody knows is no message: it is made again.
func TestNotUploaded(t *testing.T) {
	for _, err := range []error{&meta.SendError{Class: meta.Ambiguous}, errors.New("reset"), context.DeadlineExceeded} {
		var refused *meta.SendError
		if !errors.As(notUploaded(err), &refused) || refused.Class != meta.Retry {
			t.Errorf("%v: %v", err, notUploaded(err))
		}
	}
}
