package flowfiles

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/parleyhq/parley/pkg/flow"
)

const definition = `name: menu
language: en
steps:
  - name: show
    say:
      - {image: {file: menu.png, caption: Our menu}}
      - {document: {file: files/prices.pdf}}
    expect: {type: text, save: dish}
completed: {say: Bye., again: Done.}
`

var (
	png = "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100)
	pdf = "%PDF-1.7 " + strings.Repeat("y", 50)
)

func folder() fstest.MapFS {
	return fstest.MapFS{"menu.png": {Data: []byte(png)}, "files/prices.pdf": {Data: []byte(pdf)}, "other.png": {Data: []byte("z")}}
}

func lint(t *testing.T, files fstest.MapFS, source string) (Definition, string) {
	t.Helper()
	d, err := Read(files, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	f, problems := flow.Lint(d.Source)
	if f == nil {
		return d, problems.Error()
	}
	return d, ""
}

// What is in the files is part of the version: another picture, another digest.
func TestRead(t *testing.T) {
	d, wrong := lint(t, folder(), definition)
	if wrong != "" || len(d.Files) != 2 {
		t.Fatalf("%s: %+v", wrong, d.Files)
	}
	if d.Files[0].Name != "files/prices.pdf" || d.Files[0].Type != "application/pdf" || d.Files[1].Type != "image/png" || string(d.Files[1].Content) != png {
		t.Errorf("files %+v", d.Files)
	}
	if strings.TrimSuffix(string(d.Source), d.Added) != definition {
		t.Errorf("the end that was added cannot be taken off")
	}
	again, _ := lint(t, folder(), definition)
	files := folder()
	files["menu.png"].Data = []byte(png + "!")
	changed, _ := lint(t, files, definition)
	if string(again.Source) != string(d.Source) || string(changed.Source) == string(d.Source) {
		t.Error("a version is not known by what is in its files")
	}
}

// A file with the ends of lines of Windows keeps them.
func TestReadWindows(t *testing.T) {
	d, wrong := lint(t, folder(), strings.ReplaceAll(definition, "\n", "\r\n"))
	if wrong != "" || strings.Count(string(d.Source), "\n") != strings.Count(string(d.Source), "\r\n") {
		t.Errorf("%s %q", wrong, d.Added)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		source string
		want   string
	}{
		"not there":     {func(f fstest.MapFS) { delete(f, "menu.png") }, definition, `no file "menu.png"`},
		"a folder":      {func(f fstest.MapFS) { delete(f, "menu.png"); f["menu.png/x"] = &fstest.MapFile{} }, definition, `no file "menu.png"`},
		"outside":       {nil, strings.Replace(definition, "menu.png", "../menu.png", 1), `no file "../menu.png"`},
		"another type":  {func(f fstest.MapFS) { f["menu.png"].Data = []byte(pdf) }, definition, "does not take as image"},
		"too large":     {func(f fstest.MapFS) { f["menu.png"].Data = []byte(png + strings.Repeat("x", 5<<20)) }, definition, "the limit for image is 5242880"},
		"larger yet":    {func(f fstest.MapFS) { f["files/prices.pdf"].Data = []byte(pdf + strings.Repeat("x", 17<<20)) }, definition, "or use a link"},
		"not the bytes": {func(f fstest.MapFS) { f["menu.png"].Data = []byte("hello") }, definition, "is text/plain"},
	} {
		files := folder()
		if c.change != nil {
			c.change(files)
		}
		if _, wrong := lint(t, files, c.source); !strings.Contains(wrong, c.want) {
			t.Errorf("%s: %q, want %q", name, wrong, c.want)
		}
	}
}
