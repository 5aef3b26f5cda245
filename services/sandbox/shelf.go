package sandbox

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"strconv"
	"sync"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// shelfMax is how many files of the business are kept: the newest.
const shelfMax = 32

// shelf keeps the files that the business has uploaded, by their ids.
type shelf struct {
	mu    sync.Mutex
	count int
	files map[string]fake.Upload
}

// put keeps a file and gives its id. An id that was given up is unknown from then on,
// as one is to Meta after 30 days.
func (s *shelf) put(u fake.Upload) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string]fake.Upload{}
	}
	s.count++
	delete(s.files, shelfID(s.count-shelfMax))
	s.files[shelfID(s.count)] = u
	return shelfID(s.count)
}

func shelfID(n int) string { return "9" + strconv.Itoa(1_000_000+n) }

func (s *shelf) get(id string) (u fake.Upload, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok = s.files[id]
	return u, ok
}

// media is the file behind an id: one of the business, or the picture of a person.
func (s *shelf) media(id string) (mimeType string, content []byte) {
	if u, ok := s.get(id); ok {
		return u.MimeType, u.Content
	}
	return picture(id)
}

// readFile serves a file of the business to its page, as nothing but what it is.
func (s *Sandbox) readFile(w http.ResponseWriter, r *http.Request) {
	u, ok := s.shelf.get(r.PathValue("id"))
	if !ok {
		refuse(w, http.StatusNotFound, "no such file: the sandbox keeps the newest, and none from before it was started")
		return
	}
	h := w.Header()
	h.Set("Content-Type", u.MimeType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(u.Content) // the reader may be gone
}

// picture is the file behind every id: phones here send no bytes, only what WhatsApp
// tells of them.
func picture(string) (mimeType string, content []byte) {
	const side = 96
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			img.Set(x, y, color.RGBA{R: uint8(90 + x), G: uint8(200 - y), B: uint8(120 + (x+y)/2), A: 255})
		}
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, img, nil) != nil {
		return "", nil // never: it is written to memory
	}
	return "image/jpeg", b.Bytes()
}
