package console

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"time"

	qr "github.com/piglig/go-qr"
)

const (
	// quietModules is the empty border that scanners need (ISO/IEC 18004).
	quietModules = 4
	// modulePixels is the size of a module in the image.
	modulePixels = 6
)

// qrView is the code that links a phone to a session now.
type qrView struct {
	QR      string    `json:"qr"`
	Expires time.Time `json:"expires_at"`
	SVG     string    `json:"svg"`
	// Blocks is the picture for a terminal.
	Blocks string `json:"blocks"`
}

// sessionQR answers the code that links a phone: as JSON with an SVG in it, or alone
// with ?format=svg, png or text. Whoever scans it speaks as the business: it is shown to
// who has the console's token, is not cached, and is good for a minute.
func (a *API) sessionQR(w http.ResponseWriter, r *http.Request) {
	format := r.URL.Query().Get("format")
	if format != "" && format != "svg" && format != "png" && format != "text" {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("format=%q is not known: use svg, png or text, or leave it out for JSON", format)})
		return
	}
	view, err := a.code(r)
	if err != nil {
		a.refused(w, r, err)
		return
	}
	matrix, err := qr.EncodeText(view.QR, qr.Low)
	if err != nil {
		a.refused(w, r, refuse(http.StatusBadGateway, "WASenderApi gave a code that is too long for a picture: order connect for another"))
		return
	}
	switch format {
	case "svg":
		picture(w, "image/svg+xml", []byte(svgOf(matrix)))
	case "png":
		picture(w, "image/png", pngOf(matrix))
	case "text":
		picture(w, "text/plain; charset=utf-8", []byte(blocksOf(matrix)))
	default:
		view.SVG, view.Blocks = svgOf(matrix), blocksOf(matrix)
		answer(w, http.StatusOK, view)
	}
}

// code is the code of the session that the request names. If none is known, whoever
// watches the session asks for one.
func (a *API) code(r *http.Request) (view qrView, err error) {
	s, err := a.session(r.Context(), r.PathValue("channel"))
	if err != nil {
		return view, err
	}
	if s.State != "need_scan" {
		return view, refuse(http.StatusConflict, "the session is %s: there is a code only while it is need_scan. Order connect if a phone is to be linked", s.State)
	}
	var ok bool
	view.QR, view.Expires, ok, err = a.store.SessionCode(r.Context(), s.Channel)
	if err != nil || ok {
		return view, err
	}
	if _, err := a.command(r.Context(), s.Channel, "qr"); err != nil {
		return view, err
	}
	view.QR, view.Expires, ok, err = a.store.SessionCode(r.Context(), s.Channel)
	if err == nil && !ok {
		err = refuse(http.StatusNotFound, "WASenderApi has no code now: order connect for a new one")
	}
	return view, err
}

func picture(w http.ResponseWriter, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(data)
}

// svgOf draws a code, one path for all its dark modules.
func svgOf(m *qr.QrCode) string {
	side := m.Size() + 2*quietModules
	var path strings.Builder
	for y := range m.Size() {
		for x := range m.Size() {
			if m.Module(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietModules, y+quietModules)
			}
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="%s"/></svg>`, side, path.String())
}

func pngOf(m *qr.QrCode) []byte {
	side := (m.Size() + 2*quietModules) * modulePixels
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if m.Module(x/modulePixels-quietModules, y/modulePixels-quietModules) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var data bytes.Buffer
	_ = png.Encode(&data, img) // a buffer takes everything
	return data.Bytes()
}

// blocksOf draws a code for a terminal: each character is two modules, one above the
// other. Light modules are drawn, so that it can be scanned on a dark ground.
func blocksOf(m *qr.QrCode) string {
	blocks := map[[2]bool]string{{true, true}: " ", {false, false}: "█", {true, false}: "▄", {false, true}: "▀"}
	var b strings.Builder
	for y := -quietModules; y < m.Size()+quietModules; y += 2 {
		for x := -quietModules; x < m.Size()+quietModules; x++ {
			b.WriteString(blocks[[2]bool{m.Module(x, y), m.Module(x, y+1)}])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
