package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// cookieName holds what a browser proves its login with.
	cookieName = "parley_console"
	// loginFor is how long a login lasts.
	loginFor = 12 * time.Hour
	// loginBytesMax bounds the body of a login.
	loginBytesMax = 4 << 10
)

// door lets in who has the token: a program sends it as bearer token with every
// request, a browser exchanges it once for a cookie. The cookie is a signed time, so
// that it ends by itself, ends for all when the token is changed, and gives the token
// to nobody. Scripts cannot read it, and other sites cannot have it sent.
type door struct {
	token string
	now   func() time.Time
}

// routes are what is open to who has no token yet.
func (d door) routes(mux router) {
	mux.HandleFunc("POST /api/v1/login", d.login)
	mux.HandleFunc("POST /api/v1/logout", d.logout)
}

// guard asks for the token or the cookie, if there is a token.
func (d door) guard(next http.Handler) http.Handler {
	if d.token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if isBearer && d.fits(bearer) || d.loggedIn(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized, problem{"send the console token as Authorization: Bearer <PARLEY_CONSOLE_TOKEN>, or log in at /"})
	})
}

// fits compares in constant time, whatever the lengths.
func (d door) fits(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(d.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (d door) loggedIn(r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	until, _, _ := strings.Cut(cookie.Value, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	return err == nil && d.now().Unix() < seconds && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(d.seal(seconds))) == 1
}

// seal is a time that only who knows the token can write.
func (d door) seal(until int64) string {
	mac := hmac.New(sha256.New, []byte(d.token))
	fmt.Fprintf(mac, "parley console login until %d", until)
	return strconv.FormatInt(until, 10) + "." + hex.EncodeToString(mac.Sum(nil))
}

// login exchanges the token for the cookie.
func (d door) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if err := readBody(w, r, loginBytesMax, "token", &body); err != nil {
		answer(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	if d.token != "" && !d.fits(body.Token) {
		answer(w, http.StatusUnauthorized, problem{"this is not the token: it is what PARLEY_CONSOLE_TOKEN was set to"})
		return
	}
	until := d.now().Add(loginFor)
	d.set(w, r, d.seal(until.Unix()), int(loginFor/time.Second))
	answer(w, http.StatusOK, map[string]time.Time{"until": until})
}

// logout takes the cookie back.
func (d door) logout(w http.ResponseWriter, r *http.Request) {
	d.set(w, r, "", -1)
	answer(w, http.StatusOK, struct{}{})
}

// set writes the cookie. Over TLS, which a server in front may end, it is for TLS only.
func (d door) set(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/api/v1/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
