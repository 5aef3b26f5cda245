// Package flowfiles reads the files that lie beside flow definitions.
package flowfiles

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// Definition is a definition as it is published: with what is in its files.
type Definition struct {
	Source []byte
	// Added is the end of Source that is not in the file of the definition.
	Added string
	// Files are what Source names; one that is larger than any may be is not read.
	Files []File
}

// File is a file beside a flow, with what is in it.
type File struct {
	flow.File
	Content []byte
}

// Read adds to a definition what is in the files that it names, from its folder. A
// file that is not there stays out: whoever compiles the definition says so.
func Read(folder fs.FS, source []byte) (Definition, error) {
	d := Definition{Source: source}
	var described []flow.File
	for _, name := range flow.FilesNamed(source) {
		f, err := read(folder, name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
			continue
		case err != nil:
			return Definition{}, fmt.Errorf("read %s: %w", name, err)
		}
		d.Files, described = append(d.Files, f), append(described, f.File)
	}
	d.Added = flow.FilesBlock(described)
	if strings.Contains(string(source), "\r\n") {
		d.Added = strings.ReplaceAll(d.Added, "\n", "\r\n")
	}
	d.Source = append(source[:len(source):len(source)], d.Added...)
	return d, nil
}

func read(folder fs.FS, name string) (File, error) {
	opened, err := folder.Open(name)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = opened.Close() }() // it was only read
	info, err := opened.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, fs.ErrNotExist
	}
	content, err := io.ReadAll(io.LimitReader(opened, flow.FileBytesMax+1))
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(content)
	return File{
		File:    flow.File{Name: name, SHA256: hex.EncodeToString(sum[:]), Type: typeOf(name, content), Size: max(info.Size(), int64(len(content)))},
		Content: content,
	}, nil
}

// types are those of WhatsApp by the end of a file's name, for what its first bytes do
// not tell.
var types = map[string]string{
	".aac": "audio/aac", ".amr": "audio/amr", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".mp4": "video/mp4", ".3gp": "video/3gpp", ".txt": "text/plain", ".pdf": "application/pdf",
	".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

// typeOf is the type of a file by what is in it; of what that does not tell, by its
// name. A picture that is called .pdf is a picture.
func typeOf(name string, content []byte) string {
	seen, _, _ := strings.Cut(http.DetectContentType(content), ";")
	switch seen {
	case "text/plain", "application/octet-stream", "application/zip", "application/ogg":
		return cmp.Or(types[strings.ToLower(path.Ext(name))], seen)
	}
	return seen
}
