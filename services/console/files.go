package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// fileTime bounds how long a file may take to come in.
const fileTime = 3 * time.Minute

// fileDigest is what files are called.
var fileDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// keepFile is PUT /api/v1/files/{sha256}: a file that lies beside a flow, before the
// flow is published. The same again is the same file.
func (a *API) keepFile(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(fileTime))
	digest := r.PathValue("sha256")
	mimeType, content, err := readFile(w, r)
	if err == nil {
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != digest {
			err = refuse(http.StatusBadRequest, "the file's SHA-256 is %x: that is what it is called here, in PUT /api/v1/files/", sum)
		} else {
			err = a.store.SaveFile(r.Context(), digest, mimeType, content)
		}
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"sha256": digest})
}

func readFile(w http.ResponseWriter, r *http.Request) (mimeType string, content []byte, err error) {
	mimeType, _, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", nil, refuse(http.StatusBadRequest, "say what the file is in the header Content-Type, such as image/jpeg")
	}
	content, err = io.ReadAll(http.MaxBytesReader(w, r.Body, flow.FileBytesMax))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", nil, refuse(http.StatusRequestEntityTooLarge, "the file has more than %d bytes: make it smaller, or use a link", large.Limit)
	case err != nil:
		return "", nil, refuse(http.StatusBadRequest, "the file did not come whole: send it again")
	}
	return mimeType, content, nil
}

// file is GET /api/v1/files/{sha256}: a file that flows send.
func (a *API) file(w http.ResponseWriter, r *http.Request) {
	digest := r.PathValue("sha256")
	if !fileDigest.MatchString(digest) {
		answer(w, http.StatusBadRequest, problem{"a file is called by its SHA-256: 64 digits, 0 to 9 and a to f"})
		return
	}
	mimeType, content, err := a.store.File(r.Context(), digest)
	switch {
	case errors.Is(err, store.ErrNoFile):
		answer(w, http.StatusNotFound, problem{"no flow that was published here has such a file"})
		return
	case err != nil:
		a.failed(w, r, err)
		return
	}
	describe(w.Header(), digest[:12], &meta.File{MimeType: mimeType, Size: int64(len(content))})
	_, _ = io.Copy(w, bytes.NewReader(content)) // the client may be gone
}

// haveFiles refuses a flow whose files are not here, or not what it says: WhatsApp's
// limits were held against what it says.
func (a *API) haveFiles(ctx context.Context, f *flow.Flow) error {
	files := f.Files()
	digests := make([]string, len(files))
	for i, file := range files {
		digests[i] = file.SHA256
	}
	kept, err := a.store.KeptFiles(ctx, digests)
	if err != nil {
		return err
	}
	var missing []string
	for _, file := range files {
		switch is, ok := kept[file.SHA256]; {
		case !ok:
			missing = append(missing, file.Name)
		case is.MimeType != file.Type || is.Size != file.Size:
			return refuse(http.StatusUnprocessableEntity, "%s is %s of %d bytes, the definition says %s of %d: nothing was published; publish it with parley flow publish, which writes what is in the files",
				file.Name, is.MimeType, is.Size, file.Type, file.Size)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return refuse(http.StatusUnprocessableEntity, "these files are not here, and nothing was published: %s: send them first, as parley flow publish does (PUT /api/v1/files/{sha256})", strings.Join(missing, ", "))
}
