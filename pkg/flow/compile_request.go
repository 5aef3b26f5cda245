package flow

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// How long a session waits for a call, in milliseconds.
const callUsual, callLeast, callMost = 30 * 1000, 1000, hourMs

var (
	callFields  = []string{"url", "method", "query", "body", "headers", "timeout", "keep", "busy", "failed"}
	callMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	// callHeaders are set by who makes the call.
	callHeaders = []string{"host", "content-length", "content-type", "idempotency-key", "connection", "transfer-encoding"}
	urlPlace    = regexp.MustCompile(`\{([^{}]*)\}`)
	headerName  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	// SecretPlace is where a secret is named in a header: who makes the call knows it.
	SecretPlace = regexp.MustCompile(`\$\{secret:([A-Z][A-Z0-9_]{0,63})\}`)
)

// request reads how a step asks a system of the business.
func (c *compiler) request(in item) *request {
	all := c.fields(in, callFields...)
	r := &request{timeoutMs: callUsual, failed: outcomeWay{result: callFailed}}
	r.url = c.callURL(c.required(all, "url", "the address, such as https://crm.example.org/customers"))
	r.query, r.body = c.named(all.of["query"]), c.named(all.of["body"])
	r.headers = c.headers(all.of["headers"])
	if r.method = c.word(all.of["method"], callMethods...); r.method == "" {
		r.method = "GET"
		if len(r.body) > 0 {
			r.method = "POST"
		}
	}
	if r.method == "GET" && len(r.body) > 0 {
		c.report(all.of["body"].at, ruleField, "GET has no body: use query, or another method")
	}
	if timeout, given := all.of["timeout"]; given {
		if r.timeoutMs = c.duration(timeout); r.timeoutMs > 0 && (r.timeoutMs < callLeast || r.timeoutMs > callMost) {
			c.report(timeout.at, ruleLimit, "a call takes 1s to 1h: write another time")
		}
	}
	c.keep(all.of["keep"], nil, &r.keep)
	r.busy = c.bubbles(all.of["busy"], nil)
	way := c.fields(c.required(all, "failed", "where to go if it does not answer, such as {goto: STEP}"), wayFields...)
	r.failed.say = c.bubbles(way.of["say"], nil)
	c.target(c.required(way, "goto", "the step to go to then"), &r.failed.to)
	return r
}

// callURL reads an address: what a person said can stand behind the host only.
func (c *compiler) callURL(in item) []urlPart {
	source := c.scalar(in)
	if source.value == "" {
		return nil
	}
	u, err := url.Parse(urlPlace.ReplaceAllString(source.value, "x"))
	places := urlPlace.FindAllStringSubmatchIndex(source.value, -1)
	host := strings.IndexAny(strings.TrimPrefix(strings.TrimPrefix(source.value, "https://"), "http://"), "/?#")
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		c.report(in.at, ruleValue, "%q is no address: write one such as https://crm.example.org/customers", source.value)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		c.report(in.at, ruleValue, "an address of a call has no name, no ? and no #: give query, and secrets in headers")
	case len(places) > 0 && (host < 0 || places[0][0] < strings.Index(source.value, "://")+3+host):
		c.report(in.at, ruleValue, "the host of a call cannot be computed: what a person says must not say where to go")
	}
	parts, at := make([]urlPart, 0, len(places)+1), 0
	for _, place := range places {
		parts = append(parts, urlPart{literal: source.value[at:place[0]]})
		at = place[1]
	}
	for i, place := range places {
		value := written{value: source.value[place[2]:place[3]], at: source.at}
		if value.value == "" {
			c.report(in.at, ruleValue, "{} in the address is empty: put an expression into it")
		}
		c.later(func() { c.compileWith(value, wantAny, nil, &parts[i].program) })
	}
	parts = append(parts, urlPart{literal: source.value[at:]})
	return parts
}

// named reads values by their names.
func (c *compiler) named(in item) []named {
	pairs := c.pairs(in, "names and expressions")
	list := make([]named, len(pairs))
	for i, p := range pairs {
		list[i].name = p.key.value
		source := c.scalar(p.value)
		c.later(func() { c.compileWith(source, wantAny, nil, &list[i].program) })
	}
	return list
}

// headers reads what goes beside a call. Values are written down: a secret by its name.
func (c *compiler) headers(in item) map[string]string {
	pairs := c.pairs(in, "names and values")
	if len(pairs) == 0 {
		return nil
	}
	headers := make(map[string]string, len(pairs))
	for _, p := range pairs {
		name, value := p.key.value, c.scalar(p.value).value
		switch {
		case !headerName.MatchString(name):
			c.report(p.key.at, ruleName, "%q is no name of a header: letters, digits and dashes", name)
		case slices.Contains(callHeaders, strings.ToLower(name)):
			c.report(p.key.at, ruleName, "header %s is set by Parley: remove it", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
			c.report(p.value.at, ruleValue, "a header has letters, digits and signs of ASCII, in one line")
		case strings.Contains(SecretPlace.ReplaceAllString(value, ""), "${"):
			c.report(p.value.at, ruleValue, "%q is no secret: write ${secret:NAME} in capital letters, and set PARLEY_SECRET_NAME", value)
		default:
			headers[name] = value
		}
	}
	return headers
}
