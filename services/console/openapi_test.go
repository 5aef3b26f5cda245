package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// contract is openapi.yaml as the tests hold it against what is asked and answered. It is
// stricter than the document: a field that is not listed is a fault.
type contract struct {
	document map[string]any
	routes   *http.ServeMux // finds the path of a request
	schemas  *jsonschema.Compiler
	compiles sync.Mutex // of schemas: a test may ask many things at once
}

const contractName = "openapi.json"

func readContract(t *testing.T) *contract {
	t.Helper()
	source, err := yaml.YAMLToJSON(openAPISource)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{document: document.(map[string]any), routes: http.NewServeMux(), schemas: jsonschema.NewCompiler()}
	for path := range c.paths() {
		c.routes.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	}
	closed(c.document["components"])
	closed(c.document["paths"])
	c.schemas.AssertFormat()
	if err := c.schemas.AddResource(contractName, c.document); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed makes every object schema refuse what it does not list.
func closed(node any) {
	switch node := node.(type) {
	case map[string]any:
		if properties, is := node["properties"].(map[string]any); is && node["additionalProperties"] == nil && len(properties) > 0 {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closed(child)
		}
	case []any:
		for _, child := range node {
			closed(child)
		}
	}
}

func (c *contract) paths() map[string]any { return c.document["paths"].(map[string]any) }

// operations are all "METHOD path".
func (c *contract) operations() []string {
	var list []string
	for path, item := range c.paths() {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				list = append(list, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(list)
	return list
}

// schema is one part of the document, by its steps.
func (c *contract) schema(steps ...string) (*jsonschema.Schema, error) {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	pointer := ""
	for _, step := range steps {
		pointer += "/" + escape.Replace(step)
	}
	c.compiles.Lock()
	defer c.compiles.Unlock()
	return c.schemas.Compile(contractName + "#" + pointer)
}

// part follows steps into the document, and references.
func (c *contract) part(node any, steps ...string) any {
	for _, step := range steps {
		object, _ := node.(map[string]any)
		node = object[step]
		if object, _ = node.(map[string]any); object["$ref"] != nil {
			node = c.part(c.document, strings.Split(strings.TrimPrefix(object["$ref"].(string), "#/"), "/")...)
		}
	}
	return node
}

// overheard passes an answer on, and keeps it.
type overheard struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (o *overheard) WriteHeader(status int) {
	o.status = status
	o.ResponseWriter.WriteHeader(status)
}

func (o *overheard) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	o.body.Write(p)
	return o.ResponseWriter.Write(p)
}

func (o *overheard) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// holds puts the contract before a handler: every request of every test must be as the
// document says, if it was taken, and so must every answer.
func (c *contract) holds(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(asked))
		_, path := c.routes.Handler(r)
		heard := &overheard{ResponseWriter: w}
		next.ServeHTTP(heard, r)
		method := strings.ToLower(r.Method)
		if c.part(c.paths(), path, method) == nil || heard.status == 0 {
			return // there is no such route; or the asker had gone
		}
		if err := c.answered(path, method, heard); err != nil {
			t.Errorf("%s %s answers %d: %v", r.Method, r.URL, heard.status, err)
		}
		if err := c.asked(path, method, r, asked); err != nil && heard.status < 300 {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
	})
}

func (c *contract) answered(path, method string, heard *overheard) error {
	status := fmt.Sprint(heard.status)
	at := []string{path, method, "responses", status}
	if c.part(c.paths(), at...) == nil {
		if heard.status < 400 {
			return fmt.Errorf("the status is not listed")
		}
		at[3] = "default"
	}
	kind, _, err := mime.ParseMediaType(heard.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	if c.part(c.paths(), append(at, "content", "*/*")...) != nil {
		return nil
	}
	if c.part(c.paths(), append(at, "content", kind)...) == nil {
		return fmt.Errorf("the content type %s is not listed", kind)
	}
	if kind != "application/json" {
		return nil
	}
	steps := append([]string{"paths"}, append(at, "content", kind, "schema")...)
	if at[3] == "default" {
		steps = []string{"components", "schemas", "Problem"}
	}
	return c.fits(heard.body.Bytes(), steps...)
}

// asked looks at what a request gives: its query, and its body if that is JSON.
func (c *contract) asked(path, method string, r *http.Request, body []byte) error {
	known := map[string]bool{}
	list, _ := c.part(c.paths(), path, method, "parameters").([]any)
	for i := range list {
		name, _ := c.part(map[string]any{"p": list[i]}, "p", "name").(string)
		known[name] = true
	}
	for name, values := range r.URL.Query() {
		if !known[name] && values[0] != "" {
			return fmt.Errorf("the query %s is not listed", name)
		}
	}
	if c.part(c.paths(), path, method, "requestBody", "content", "application/json") == nil {
		return nil
	}
	return c.fits(body, "paths", path, method, "requestBody", "content", "application/json", "schema")
}

func (c *contract) fits(body []byte, steps ...string) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	schema, err := c.schema(steps...)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// registered takes routes down.
type registered []string

func (r *registered) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	*r = append(*r, pattern)
}

// TestOpenAPIListsEveryRoute: every route is in the document, and nothing else is.
func TestOpenAPIListsEveryRoute(t *testing.T) {
	var routes registered
	(&API{}).routes(&routes, false)
	door{}.routes(&routes)
	listed := readContract(t).operations()
	for _, pattern := range routes {
		if strings.Contains(pattern, " ") && !slices.Contains(listed, pattern) {
			t.Errorf("services/console/openapi.yaml does not describe %s", pattern)
		}
	}
	for _, operation := range listed {
		if !slices.Contains(routes, operation) {
			t.Errorf("services/console/openapi.yaml describes %s, which is not there", operation)
		}
	}
}

// TestOpenAPIIsSound: each operation has a name of its own, every path parameter is
// described, and every schema can be used.
func TestOpenAPIIsSound(t *testing.T) {
	c := readContract(t)
	names := map[string]string{}
	for _, operation := range c.operations() {
		method, path, _ := strings.Cut(operation, " ")
		name, _ := c.part(c.paths(), path, strings.ToLower(method), "operationId").(string)
		if name == "" || names[name] != "" {
			t.Errorf("%s: its operationId %q is also that of %s", operation, name, names[name])
		}
		names[name] = operation
		parameters, _ := json.Marshal(c.part(c.paths(), path, "parameters"))
		for part := range strings.SplitSeq(path, "/") {
			if strings.HasPrefix(part, "{") && !strings.Contains(string(parameters), fmt.Sprintf(`"name":%q`, strings.Trim(part, "{}"))) {
				t.Errorf("%s: %s is not described", operation, part)
			}
		}
	}
	for name := range c.part(c.document, "components", "schemas").(map[string]any) {
		if _, err := c.schema("components", "schemas", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpenAPIIsServed, and only to who may ask the API anything.
func TestOpenAPIIsServed(t *testing.T) {
	s := newSite(t, "")
	var document struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	s.ask(http.MethodGet, "/api/v1/openapi.json", http.StatusOK, &document)
	if document.OpenAPI != "3.1.0" || len(document.Paths) != len(readContract(t).paths()) {
		t.Errorf("%s with %d paths", document.OpenAPI, len(document.Paths))
	}
}

// TestContractNotices: the tests would notice an answer that is not as described.
func TestContractNotices(t *testing.T) {
	c := readContract(t)
	webhook := map[string]any{
		"id": "evt_1_2", "type": "session.started", "state": "dead", "contact_id": "6f1c0c0e-0000-5000-8000-000000000001", "since": time.Now(),
		"attempts": 1, "next_at": time.Now(), "error": "",
	}
	for name, change := range map[string]func(map[string]any){
		"as it is": func(map[string]any) {}, "a field more": func(m map[string]any) { m["more"] = 1 },
		"a field less": func(m map[string]any) { delete(m, "error") }, "another type": func(m map[string]any) { m["attempts"] = "1" },
		"no time": func(m map[string]any) { m["since"] = "yesterday" },
	} {
		changed := maps.Clone(webhook)
		change(changed)
		body, _ := json.Marshal(changed)
		if err := c.fits(body, "components", "schemas", "Webhook"); (err == nil) != (name == "as it is") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
