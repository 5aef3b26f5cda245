package flow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// FileBytesMax is the size of the largest file that lies beside a flow: it is kept with
// the versions that use it. Larger ones have links.
const FileBytesMax = 16 << 20

// File is a file that lies beside a flow. A definition names files by their names; when
// it is published, what is in them is part of it, so that a version never changes.
type File struct {
	Name   string
	SHA256 string // in hexadecimal digits
	Type   string // as image/jpeg
	Size   int64  // in bytes
}

// fileSizeMax bounds the size that is said of a file.
const fileSizeMax = 1 << 30

var (
	fileFields    = []string{"sha256", "type", "size"}
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	typePattern   = regexp.MustCompile(`^[a-z]+/[a-zA-Z0-9.+-]+$`)
)

// takes is what WhatsApp takes of a kind of files. Source: Meta, "Media", supported types.
type takes struct {
	bytesMax int64
	types    []string
}

var taken = map[string]takes{
	"image": {5 << 20, []string{"image/jpeg", "image/png"}},
	"video": {16 << 20, []string{"video/mp4", "video/3gpp"}},
	"audio": {16 << 20, []string{"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}},
	"document": {100 << 20, []string{
		"text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation",
	}},
	"sticker": {500 << 10, []string{"image/webp"}},
}

// FilesNamed lists the files that a definition may name, sorted. It reads as much as it
// can of a definition that has errors.
func FilesNamed(source []byte) []string {
	file, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil
	}
	var names []string
	for _, found := range ast.FilterFile(ast.MappingValueType, file) {
		entry, ok := found.(*ast.MappingValueNode)
		if !ok || entry.Key.GetToken().Value != "file" {
			continue
		}
		if name, ok := entry.Value.(*ast.StringNode); ok {
			names = append(names, name.Value)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// FilesBlock says in a definition what is in its files: it goes to its end. It is empty
// without files.
func FilesBlock(files []File) string {
	if len(files) == 0 {
		return ""
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("\nfiles:\n")
	for _, f := range files {
		fmt.Fprintf(&b, "  %q: {sha256: %q, type: %q, size: %d}\n", f.Name, f.SHA256, f.Type, f.Size)
	}
	return b.String()
}

// Files lists the files that the flow sends, by name.
func (f *Flow) Files() []File { return f.files }

// fileList reads what is in the files beside the flow.
func (c *compiler) fileList(in item) {
	for _, p := range c.pairs(in, "names of files and what is in them") {
		all := c.fields(p.value, fileFields...)
		f := File{
			Name: p.key.value, SHA256: c.scalar(c.required(all, "sha256", "the digest of the file")).value,
			Type: c.scalar(c.required(all, "type", "its type, such as image/jpeg")).value,
			Size: int64(c.count(c.required(all, "size", "its size in bytes"), 0, fileSizeMax)),
		}
		if all.of != nil && (!digestPattern.MatchString(f.SHA256) || !typePattern.MatchString(f.Type)) {
			c.report(p.value.at, ruleFile, "%q is not described as Parley does: remove files, which the tools write when they publish", f.Name)
		}
		c.flow.files = append(c.flow.files, f)
	}
	slices.SortFunc(c.flow.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}

// file is a file beside the flow that WhatsApp takes as one of a kind.
func (c *compiler) file(in item, kind string) *File {
	name := c.text(in)
	if name.value == "" {
		return nil
	}
	i := slices.IndexFunc(c.flow.files, func(f File) bool { return f.Name == name.value })
	if i < 0 {
		c.report(in.at, ruleFile, "there is no file %q beside the flow: put it into the same folder, or correct its name", name.value)
		return nil
	}
	f, limit := c.flow.files[i], taken[kind]
	switch most := min(limit.bytesMax, FileBytesMax); {
	case !slices.Contains(limit.types, f.Type):
		c.report(in.at, ruleFile, "%q is %s, which WhatsApp does not take as %s: it takes %s", f.Name, f.Type, kind, strings.Join(limit.types, ", "))
	case f.Size > most:
		c.report(in.at, ruleFile, "%q has %d bytes, the limit for %s is %d: make it smaller%s", f.Name, f.Size, kind, most, orLink(limit.bytesMax))
	case f.Size == 0:
		c.report(in.at, ruleFile, "%q is empty: put the file into the folder again", f.Name)
	}
	return &f
}

// orLink is advice where WhatsApp takes more than Parley keeps.
func orLink(bytesMax int64) string {
	if bytesMax > FileBytesMax {
		return ", or use a link"
	}
	return ""
}
