package wasender

import (
	"encoding/json"
	"reflect"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// anyLink stands for the address of a file that was uploaded to be sent.
const anyLink = "https://"

// IsOf reports whether a line of the log is a send of m that did not fail. It is not
// where the session does not log what it sends, nor of a message to a person who is
// known by a LID only, nor of typing, which is no message.
func (l MessageLog) IsOf(m *parleyv1.MessageQueued) bool {
	if l.Status == failed || !isPhone(m.GetPhone()) || parseJID(l.To).phone() != m.GetPhone() {
		return false
	}
	m = proto.CloneOf(m)
	file := fileOf(m)
	uploaded := file.GetSha256() != ""
	if uploaded {
		file.Id, file.Link = "", anyLink
	}
	var sent, want sendRequest
	if json.Unmarshal([]byte(l.Content), &sent) != nil || want.fill(m) != nil {
		return false
	}
	sent.To = ""
	for _, link := range []*string{&sent.Image, &sent.Video, &sent.Document, &sent.Audio, &sent.Sticker} {
		if uploaded && *link != "" {
			*link = anyLink
		}
	}
	return reflect.DeepEqual(sent, want)
}

// fileOf is the file that a message is sent with, or stands above it; nil without one.
func fileOf(m *parleyv1.MessageQueued) *parleyv1.Media {
	for _, h := range []*parleyv1.Header{m.GetButtons().GetHeader(), m.GetLink().GetHeader()} {
		if h.GetMedia() != nil {
			return h.GetMedia()
		}
	}
	return m.GetMedia()
}
