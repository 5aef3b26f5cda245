package main

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

// suite is the dialogues of one folder of flows.
type suite struct {
	sources []source
	files   []string // of dialogues
	tables  map[string]dialogue.Table
	hours   map[string]*hours.Rules
	// only is the flow that the command line names; empty for all.
	only string
	// single says that it names single files of dialogues, and nothing else.
	single bool
}

// suites finds the dialogues that a command line names, with their flows: those of
// the folder, or of the next one above that has flows.
func suites(stderr io.Writer, paths []string) ([]*suite, error) {
	byFolder := map[string]*suite{}
	var order []string
	for _, path := range paths {
		folder, files, err := dialoguesAt(stderr, path)
		if err != nil {
			return nil, err
		}
		if byFolder[folder] == nil {
			byFolder[folder] = &suite{single: true}
			order = append(order, folder)
		}
		s := byFolder[folder]
		s.files = append(s.files, files...)
		if isFlowFile(path) {
			s.only = path
		}
		s.single = s.single && len(files) == 1 && files[0] == path
	}
	all := make([]*suite, len(order))
	for i, folder := range order {
		all[i] = byFolder[folder]
		slices.Sort(all[i].files)
		all[i].files = slices.Compact(all[i].files)
		if err := all[i].load(stderr, folder); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func isFlowFile(path string) bool {
	extension := filepath.Ext(path)
	return extension == ".yaml" || extension == ".yml"
}

// dialoguesAt lists the dialogue files of a path and the folder of their flows.
func dialoguesAt(stderr io.Writer, path string) (folder string, files []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, misused(stderr, "%s cannot be read: %s: give a folder with flows, a flow, or a dialogue file", path, reason(err))
	}
	from := path
	if !info.IsDir() {
		from = filepath.Dir(path)
	}
	if folder = folderWithFlows(from); folder == "" {
		return "", nil, misused(stderr, "there are no flows in %s or above it: a flow is a .yaml file with steps", from)
	}
	if !info.IsDir() && !isFlowFile(path) {
		return folder, []string{path}, nil
	}
	if files, err = dialoguesIn(from); err == nil && len(files) == 0 {
		err = misused(stderr, "%s has no dialogues: write one, or record one with: parley flow simulate FLOW, and /save tests/FLOW.txt", from)
	}
	return folder, files, err
}

// foldersUp is how far above a dialogue its flows may stand.
const foldersUp = 3

func folderWithFlows(from string) string {
	for range foldersUp {
		if flows, err := flowsIn(from); err == nil && len(flows) > 0 {
			return from
		}
		from = filepath.Join(from, "..")
	}
	return ""
}

// dialoguesIn lists the dialogue files below a folder: text in which somebody says
// something.
func dialoguesIn(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != folder && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".txt":
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains("\n"+string(text), "\n>") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// load reads the flows and tables of the suite.
func (s *suite) load(stderr io.Writer, folder string) error {
	var err error
	if s.sources, err = readSources(stderr, []string{folder}); err != nil {
		return err
	}
	folders := []string{folder, filepath.Join(folder, "tables")}
	for _, file := range s.files {
		folders = append(folders, filepath.Dir(file))
	}
	if s.tables, err = tablesIn(folders); err != nil {
		return err
	}
	s.hours, err = hoursIn(filepath.Join(folder, "slots"))
	return err
}

// hoursIn reads the opening hours in a folder, by service.
func hoursIn(folder string) (map[string]*hours.Rules, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	all := map[string]*hours.Rules{}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		rules, err := hours.Parse(source, time.LoadLocation)
		if err != nil {
			return nil, &fs.PathError{Op: "read opening hours", Path: path, Err: err}
		}
		all[rules.Service] = rules
	}
	return all, nil
}

// tablesIn reads the CSV files of folders, by name. Of two with one name the first
// counts.
func tablesIn(folders []string) (map[string]dialogue.Table, error) {
	tables := map[string]dialogue.Table{}
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.csv"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			name := tableName(path)
			if _, known := tables[name]; known || strings.HasSuffix(path, ".texts.csv") {
				continue
			}
			if tables[name], err = readTable(path); err != nil {
				return nil, err
			}
		}
	}
	return tables, nil
}

// tableName is the name of a file's table: slots for tables/slots.csv.
func tableName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}

func readTable(path string) (dialogue.Table, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	table, err := dialogue.ParseTable(string(data))
	if err != nil {
		return nil, &fs.PathError{Op: "read table", Path: path, Err: err}
	}
	return table, nil
}

// world is where the dialogues of a file take place. The flow that the file is named
// after answers when no entry fits; a dialogue can name another.
func (s *suite) world(file string) dialogue.World {
	w := dialogue.World{Tables: maps.Clone(s.tables), Hours: s.hours, Zone: time.LoadLocation}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, source := range s.sources {
		if source.flow == nil {
			continue
		}
		w.Flows = append(w.Flows, source.flow)
		own := source.flow.Name()
		if name == own || strings.HasPrefix(name, own+"_") || strings.HasPrefix(name, own+".") || len(s.sources) == 1 {
			w.Serves = own
		}
	}
	return w
}

// named is the flow that the command line names; nil for all.
func (s *suite) named() *flow.Flow {
	for _, source := range s.sources {
		if s.only != "" && filepath.Base(source.path) == filepath.Base(s.only) {
			return source.flow
		}
	}
	return nil
}
