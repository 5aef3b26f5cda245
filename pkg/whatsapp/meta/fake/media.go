package fake

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxMediaBytes bounds a file that the fake Graph API takes.
const maxMediaBytes = 100 << 20

// Upload is a file that the Graph API was asked to keep.
type Upload struct {
	Channel, MimeType string
	Content           []byte
}

// file answers GET /{version}/{id}, where a file is, and GET /{version}/{id}/content,
// the file. Meta keeps files on another host; this one has a single address.
func (g *Graph) file(w http.ResponseWriter, r *http.Request) {
	if refusal := authorized(r); refusal != nil {
		write(w, *refusal)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var mimeType string
	var content []byte
	if g.Media != nil && len(parts) > 1 {
		mimeType, content = g.Media(parts[1])
	}
	switch {
	case content == nil:
		write(w, *refuse(http.StatusBadRequest, 100, "Unsupported get request. Object with this ID does not exist or cannot be loaded due to missing permissions"))
	case len(parts) == 3 && parts[2] == "content":
		w.Header().Set("Content-Type", mimeType)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content) //nolint:errcheck // the client may be gone; it is its loss
	default:
		sum := sha256.Sum256(content)
		path, _, _ := strings.Cut(r.RequestURI, "?")
		write(w, Answer{Body: encode(map[string]any{
			"messaging_product": "whatsapp", "url": "http://" + r.Host + path + "/content", "mime_type": mimeType,
			"sha256": hex.EncodeToString(sum[:]), "file_size": len(content), "id": parts[1],
		})})
	}
}

// upload answers POST /{version}/{phone_number_id}/media.
func (g *Graph) upload(w http.ResponseWriter, r *http.Request, channel string) {
	if refusal := authorized(r); refusal != nil {
		write(w, *refusal)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxMediaBytes)
	part, header, err := r.FormFile("file")
	if err != nil || r.FormValue("messaging_product") != "whatsapp" {
		write(w, *refuse(http.StatusBadRequest, 100, "The parameters file and messaging_product are required."))
		return
	}
	content, err := io.ReadAll(part)
	if err != nil {
		write(w, *refuse(http.StatusBadRequest, 100, "The file could not be read"))
		return
	}
	id := ""
	if g.OnUpload != nil {
		id = g.OnUpload(Upload{Channel: channel, MimeType: header.Header.Get("Content-Type"), Content: content})
	}
	if id == "" {
		write(w, *refuse(http.StatusBadRequest, 131053, "Media upload error"))
		return
	}
	write(w, Answer{Body: encode(map[string]any{"id": id})})
}

func authorized(r *http.Request) *Answer {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || token == "" {
		return refuse(http.StatusUnauthorized, 190, "An access token is required to request this resource.")
	}
	return nil
}
