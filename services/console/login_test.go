package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A browser exchanges the token for a cookie that scripts cannot read, other sites
// cannot have sent, and that ends: by itself, by logging out, and with the token.
func TestLogin(t *testing.T) {
	s := newSite(t, "secret")
	do := func(method, path, body string, with func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if with != nil {
			with(r)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for body, want := range map[string]int{
		`{"token":"wrong"}`: http.StatusUnauthorized, `{"token":""}`: http.StatusUnauthorized, `{}`: http.StatusUnauthorized, `rags`: http.StatusBadRequest,
	} {
		if w := do("POST", "/api/v1/login", body, nil); w.Code != want || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d, cookies %v", body, w.Code, w.Result().Cookies())
		}
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if w := do("POST", "/api/v1/login", `{"token":"secret"}`, foreign); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
		t.Errorf("from another site: %d", w.Code)
	}
	w := do("POST", "/api/v1/login", `{"token":"secret"}`, func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") })
	cookies := w.Result().Cookies()
	if w.Code != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	c := cookies[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/api/v1/" || c.MaxAge != 12*60*60 || strings.Contains(c.Value, "secret") {
		t.Errorf("cookie %+v", c)
	}
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: value}) }
	}
	other := door{token: "another", now: time.Now}
	own := door{token: "secret", now: time.Now}
	until := time.Now().Add(time.Hour).Unix()
	for value, want := range map[string]int{
		c.Value: http.StatusOK, c.Value + "0": http.StatusUnauthorized, "": http.StatusUnauthorized, "9" + c.Value: http.StatusUnauthorized,
		other.seal(until): http.StatusUnauthorized, own.seal(until): http.StatusOK, own.seal(time.Now().Unix() - 1): http.StatusUnauthorized,
	} {
		if w := do("GET", "/api/v1/status", "", with(value)); w.Code != want {
			t.Errorf("cookie %q: %d", value, w.Code)
		}
	}
	if w := do("POST", "/api/v1/wasender/sessions/shop/connect", "", func(r *http.Request) { foreign(r); with(c.Value)(r) }); w.Code != http.StatusForbidden {
		t.Errorf("an order from another site with the cookie: %d", w.Code)
	}
	if w := do("POST", "/api/v1/logout", "", nil); w.Code != http.StatusOK || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %d %v", w.Code, w.Result().Cookies())
	}
}

// The pages load nothing from elsewhere and run nothing inline; their parts are there.
func TestPages(t *testing.T) {
	mux := http.NewServeMux()
	pages(mux)
	for path, want := range map[string]string{
		"/": "<title>Parley console</title>", "/console/main.js": "import", "/console/console.css": ":root", "/console/icon.svg": "<svg",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d", path, w.Code)
		}
		if policy := w.Header().Get("Content-Security-Policy"); policy != pagePolicy || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}
