package dialogue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// says is what a person does in a chat.
type says struct {
	kind sayKind
	// args are the words in the parentheses, text is what stands behind them.
	args []string
	text string
}

type sayKind string

const (
	sayText     sayKind = "text"
	sayTap      sayKind = "tap"
	sayOld      sayKind = "old"
	sayLocation sayKind = "location"
	sayContact  sayKind = "contact"
	sayForm     sayKind = "form"
	sayDraft    sayKind = "draft"
	sayOpen     sayKind = "open"
	sayBack     sayKind = "back"
	sayAd       sayKind = "ad"
	sayPayload  sayKind = "payload"
	sayOther    sayKind = "other"
	sayReply    sayKind = "reply"
	sayReaction sayKind = "reaction"
	sayEdit     sayKind = "edit"
	sayRevoke   sayKind = "revoke"
	sayCall     sayKind = "call"
)

// argsOf says how many words each kind takes in its parentheses. The first ones
// are the files that a person can send.
var argsOf = map[sayKind]struct{ least, most int }{
	"image": {0, 3}, "video": {0, 3}, "audio": {0, 3}, "document": {0, 3}, "sticker": {0, 3},
	sayOld: {0, 0}, sayLocation: {0, 0}, sayContact: {0, 0}, sayForm: {0, 0}, sayDraft: {0, 1}, sayOpen: {0, 0}, sayBack: {1, 1}, sayAd: {1, 1}, sayPayload: {1, 1}, sayOther: {1, 1},
	sayReply: {1, 1}, sayReaction: {0, 1}, sayEdit: {0, 0}, sayRevoke: {0, 0},
	sayCall: {1, 2},
}

var (
	tapPattern  = regexp.MustCompile(`^\[(.+)\]$`)
	kindPattern = regexp.MustCompile(`(?s)^\(([a-z]+)((?: [^()]*)?)\) ?(.*)$`)
	sizePattern = regexp.MustCompile(`^([0-9]{1,6})(KB|MB)$`)
)

// parseSays reads what stands behind ">".
func parseSays(text string) (says, error) {
	if title := tapPattern.FindStringSubmatch(text); title != nil {
		return says{kind: sayTap, text: title[1]}, nil
	}
	if !strings.HasPrefix(text, "(") {
		return says{kind: sayText, text: unescaped(text)}, nil
	}
	parts := kindPattern.FindStringSubmatch(text)
	if parts == nil {
		return says{}, fmt.Errorf(`%q begins like something that is no text: write \( to begin a text with a parenthesis`, text)
	}
	s := says{kind: sayKind(parts[1]), args: strings.Fields(parts[2]), text: parts[3]}
	takes, known := argsOf[s.kind]
	switch {
	case !known:
		return says{}, fmt.Errorf(`nobody can send (%s): there is %s; write \( to begin a text with a parenthesis`, s.kind, strings.Join(sayKinds(), ", "))
	case len(s.args) < takes.least || len(s.args) > takes.most:
		return says{}, fmt.Errorf("(%s) takes %d to %d words in its parentheses, here are %d", s.kind, takes.least, takes.most, len(s.args))
	case s.kind == sayOld:
		title := tapPattern.FindStringSubmatch(s.text)
		if title == nil {
			return says{}, fmt.Errorf("(old) taps a button of an earlier message: write (old) [Its title]")
		}
		s.text = title[1]
	}
	_, err := s.message(nil) // what it lacks is known without a chat
	return s, err
}

func sayKinds() []string {
	kinds := make([]string, 0, len(argsOf))
	for kind := range argsOf {
		kinds = append(kinds, "("+string(kind)+")")
	}
	slices.Sort(kinds)
	return kinds
}

// unescaped takes away the backslash that keeps a text from being something else.
func unescaped(text string) string {
	if len(text) > 1 && text[0] == '\\' && strings.ContainsRune(`[(\<>`, rune(text[1])) {
		return text[1:]
	}
	return text
}

// escaped is a text as it stands behind ">" and "<".
func escaped(text string) string {
	if text != "" && strings.ContainsRune(`[(\`, rune(text[0])) {
		return `\` + text
	}
	return text
}

// message makes the message of it, given the messages on the screen.
func (s says) message(shown *screen) (*parleyv1.IncomingMessage, error) {
	m := &parleyv1.IncomingMessage{Type: string(s.kind), Text: s.text}
	switch s.kind {
	case sayText:
	case sayTap, sayOld:
		return shown.tap(s)
	case sayPayload:
		m.Type, m.Tap = "button", s.args[0]
		if m.Text == "" {
			m.Text = m.Tap
		}
	case sayReply:
		m.Type = "text"
	case sayAd:
		m.Type, m.Referral = "text", &parleyv1.Referral{SourceId: s.args[0], SourceType: "ad"}
	case sayOther:
		m.Type, m.Text = s.args[0], s.text
	case sayLocation:
		return locationOf(s.text)
	case sayContact:
		m.Type, m.Text = "contacts", ""
		m.Content = &parleyv1.IncomingMessage_Contact{Contact: cardOf(s.text)}
	case sayForm:
		data, err := objectOf(s.text)
		m.Type, m.Text = "interactive", "Sent"
		m.Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Token: shown.token(), Json: data}}
		return m, err
	case sayDraft, sayBack:
		_, err := objectOf(cmp.Or(s.text, "{}"))
		return m, err
	case sayCall:
		if _, status := s.called(); s.args[0] != "ok" && s.args[0] != "failed" || status < 0 {
			return m, errors.New("what comes of a call is (call ok) or (call failed), with a status if you like: (call failed 404)")
		}
		return m, nil
	case sayOpen, sayReaction, sayEdit, sayRevoke:
		return m, nil
	default:
		m.Content = &parleyv1.IncomingMessage_Media{Media: s.media()}
	}
	return m, nil
}

// called is what came of a call; the status is negative if it is no number.
func (s says) called() (ok bool, status int) {
	if len(s.args) == 2 {
		n, err := strconv.Atoi(s.args[1])
		if status = n; err != nil {
			status = -1
		}
	}
	return s.args[0] == "ok", status
}

// objectOf is a JSON object.
func objectOf(text string) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return nil, fmt.Errorf(`%q is no JSON object, such as {"pain": 7}`, text)
	}
	return []byte(text), nil
}

// media is the file that the words in the parentheses describe.
func (s says) media() *parleyv1.IncomingMedia {
	mimes := map[sayKind]string{
		"image": "image/jpeg", "video": "video/mp4", "audio": "audio/ogg", "document": "application/pdf", "sticker": "image/webp",
	}
	file := &parleyv1.IncomingMedia{Kind: string(s.kind), Id: "media-" + string(s.kind), MimeType: mimes[s.kind], SizeBytes: 100 << 10}
	for _, arg := range s.args {
		size := sizePattern.FindStringSubmatch(arg)
		switch {
		case size != nil:
			n, _ := strconv.ParseInt(size[1], 10, 64) // the pattern has digits, and few
			file.SizeBytes = n << map[string]int{"KB": 10, "MB": 20}[size[2]]
		case strings.Contains(arg, "/"):
			file.MimeType = arg
		default:
			file.Filename = arg
		}
	}
	return file
}

// locationOf reads "41.38,2.17 name | address".
func locationOf(text string) (*parleyv1.IncomingMessage, error) {
	where, name, _ := strings.Cut(text, " ")
	name, address, _ := strings.Cut(name, " | ")
	latitude, longitude, _ := strings.Cut(where, ",")
	lat, errLat := strconv.ParseFloat(latitude, 64)
	long, errLong := strconv.ParseFloat(longitude, 64)
	if errLat != nil || errLong != nil || !(lat >= -90 && lat <= 90) || !(long >= -180 && long <= 180) {
		return nil, fmt.Errorf("%q is no place: write 41.38,2.17 Its name | Its address", text)
	}
	return &parleyv1.IncomingMessage{Type: "location", Content: &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{
		Latitude: lat, Longitude: long, Name: name, Address: address,
	}}}, nil
}

// cardOf reads "Bo Li +34600111333 bo@example.org".
func cardOf(text string) *parleyv1.ContactCard {
	card := &parleyv1.ContactCard{}
	var name []string
	for _, word := range strings.Fields(text) {
		switch {
		case strings.Contains(word, "@"):
			card.Email = word
		case strings.Trim(word, "+0123456789-") == "":
			card.Phone += word
		default:
			name = append(name, word)
		}
	}
	card.Name = strings.Join(name, " ")
	return card
}
