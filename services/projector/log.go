package projector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// LogStore is what the message log needs of PostgreSQL.
type LogStore interface {
	AddMessages(ctx context.Context, fences []store.Fence, messages []store.Message) (held []int, err error)
	lane.Parker
}

// Log is the handler of the lane that writes what was said, for people to read. It
// follows the events, so a turn does not wait for it.
type Log struct {
	store LogStore
	log   zerolog.Logger
}

var _ lane.Handler = (*Log)(nil)

// NewLog returns the handler.
func NewLog(s LogStore, log zerolog.Logger) *Log { return &Log{store: s, log: log} }

// Take has nothing to prepare.
func (l *Log) Take(context.Context, store.Lease) error { return nil }

// Drop has nothing to forget.
func (l *Log) Drop(int) {}

// Apply writes the batch's messages, under the fences of their shards.
func (l *Log) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	fences := make([]store.Fence, len(parts))
	var messages []store.Message
	for i, part := range parts {
		fences[i] = part.Fence
		for _, m := range part.Messages {
			message, said, err := messageOf(m.Event)
			if err != nil {
				return nil, err
			}
			if said {
				messages = append(messages, message)
			}
		}
	}
	return l.store.AddMessages(ctx, fences, messages)
}

// Park keeps an event that cannot be written down.
func (l *Log) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	return lane.Park(ctx, l.store, store.ServiceMessages, part, cause, l.log)
}

// messageOf is the message that an event is about; said is false if it is about none.
func messageOf(e *parleyv1.Event) (m store.Message, said bool, err error) {
	m = store.Message{
		Shard: int(e.GetShard()), Offset: e.GetOffset(), At: time.UnixMilli(e.GetAtMs()), Channel: e.GetChannel(),
		SessionID: e.GetSessionId(), Flow: e.GetFlow(), Raw: e.GetInputReceived().GetInput().GetRaw(),
	}
	var content proto.Message
	switch in, out := e.GetInputReceived().GetInput(), e.GetMessageQueued(); {
	case in.GetMessage() != nil:
		m.Direction, m.ProviderID, content = store.DirectionIn, readable(in.GetId()), in.GetMessage()
		m.Kind, m.Body = heard(in.GetMessage())
	case in.GetAside() != nil:
		m.Direction, m.ProviderID, content = store.DirectionIn, readable(in.GetId()), in.GetAside()
		m.Kind, m.Body = in.GetAside().GetKind(), noticed(in.GetAside())
	case in.GetEcho() != nil:
		m.Direction, m.ProviderID, content = store.DirectionOut, readable(strings.TrimPrefix(in.GetId(), "echo/")), in.GetEcho()
		m.Kind, m.Body = saidOrDone(in.GetEcho().GetMessage(), in.GetEcho().GetAside())
	case in.GetPreference() != nil:
		m.Direction, m.ProviderID, content = store.DirectionIn, readable(in.GetId()), in.GetPreference()
		m.Kind, m.Body = "preference", in.GetPreference().GetCategory()+" "+in.GetPreference().GetValue()
	case in.GetVoiceCall() != nil:
		m.Direction, m.ProviderID, content = direction(in.GetVoiceCall().GetOurs()), readable(in.GetVoiceCall().GetCallId()), in.GetVoiceCall()
		m.Kind, m.Body = "call", called(in.GetVoiceCall())
	case in.GetPastMessage() != nil:
		past := in.GetPastMessage()
		m.Direction, content, m.At = direction(past.GetOurs()), past, written(in, m.At)
		m.ProviderID = readable(meta.PastID(in.GetId()))
		m.Kind, m.Body = saidOrDone(past.GetMessage(), past.GetAside())
	case in.GetGroupMessage() != nil:
		group := in.GetGroupMessage()
		m.Direction, m.ProviderID, content = direction(group.GetOurs()), readable(strings.TrimPrefix(in.GetId(), "echo/")), group
		m.Kind, m.Body = saidOrDone(group.GetMessage(), group.GetAside())
		m.Kind = "group " + m.Kind
	case out != nil && out.GetTyping() == nil:
		m.Direction, content = store.DirectionOut, out
		m.Kind, m.Body = told(out)
	default:
		return m, false, nil
	}
	if m.Contact, err = uuid.FromBytes(e.GetContactId()); err != nil { // an event that is about nobody is no message
		return m, false, fmt.Errorf("event %d/%d: contact: %w", e.GetShard(), e.GetOffset(), err)
	}
	data, err := protojson.Marshal(content)
	m.Content, m.Body, m.Kind = withoutNUL(data), readable(m.Body), readable(m.Kind)
	return m, true, err
}

func heard(m *parleyv1.IncomingMessage) (kind, body string) {
	body = m.GetText()
	switch {
	case body != "":
	case m.GetMedia() != nil:
		body = m.GetMedia().GetFilename()
	case m.GetLocation() != nil:
		body = place(m.GetLocation())
	case m.GetContact() != nil:
		body = m.GetContact().GetName()
	case m.GetOrder() != nil:
		body = fmt.Sprintf("%d products", len(m.GetOrder().GetItems()))
	}
	return m.GetType(), body
}

// noticed is what there is to read of what a person did besides saying something.
func noticed(a *parleyv1.Aside) string {
	if a.GetEdited() != nil {
		_, body := heard(a.GetEdited())
		return body
	}
	return strings.TrimSpace(a.GetEmoji() + a.GetState() + " " + a.GetReference())
}

// saidOrDone is what there is to read of a message, or of what was done to one.
func saidOrDone(m *parleyv1.IncomingMessage, a *parleyv1.Aside) (kind, body string) {
	if a != nil {
		return a.GetKind(), noticed(a)
	}
	return heard(m)
}

// called is what there is to read of a call.
func called(c *parleyv1.VoiceCall) string {
	if c.GetSeconds() > 0 {
		return fmt.Sprintf("%s, %d s", c.GetState(), c.GetSeconds())
	}
	return c.GetState()
}

func direction(ours bool) string {
	if ours {
		return store.DirectionOut
	}
	return store.DirectionIn
}

// written is when a message of the past was written, if that is known, and past.
func written(in *parleyv1.Input, now time.Time) time.Time {
	if at := in.GetProviderAtMs(); at > 0 && at < now.UnixMilli() {
		return time.UnixMilli(at)
	}
	return now
}

// told is the kind of an outgoing message, and what there is to read of it.
func told(q *parleyv1.MessageQueued) (kind, body string) {
	switch c := q.GetContent().(type) {
	case *parleyv1.MessageQueued_Text:
		return "text", c.Text.GetBody()
	case *parleyv1.MessageQueued_Media:
		return c.Media.GetKind(), c.Media.GetCaption()
	case *parleyv1.MessageQueued_Buttons:
		return "buttons", c.Buttons.GetBody()
	case *parleyv1.MessageQueued_List:
		return "list", c.List.GetBody()
	case *parleyv1.MessageQueued_Link:
		return "link", c.Link.GetBody()
	case *parleyv1.MessageQueued_Form:
		return "form", c.Form.GetBody()
	case *parleyv1.MessageQueued_Share:
		return "share", c.Share.GetBody()
	case *parleyv1.MessageQueued_Location:
		return "location", place(c.Location)
	case *parleyv1.MessageQueued_Contact:
		return "contact", c.Contact.GetName()
	case *parleyv1.MessageQueued_Template:
		return "template", c.Template.GetName()
	case *parleyv1.MessageQueued_Reaction:
		return "reaction", c.Reaction.GetEmoji()
	}
	return "unknown", ""
}

func place(p *parleyv1.GeoPoint) string {
	return strings.TrimSpace(fmt.Sprintf("%s %g,%g", p.GetName(), p.GetLatitude(), p.GetLongitude()))
}

// readable removes what PostgreSQL's text cannot hold. The event keeps it.
func readable(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// withoutNUL removes the escapes of NUL from JSON, which its jsonb refuses. What only
// looks like one, because its backslash is escaped, stays.
func withoutNUL(data []byte) []byte {
	const nul = `\u0000`
	if !strings.Contains(string(data), nul) {
		return data
	}
	kept := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] != '\\':
			kept = append(kept, data[i])
		case strings.HasPrefix(string(data[i:min(len(data), i+len(nul))]), nul):
			i += len(nul) - 1
		default:
			kept = append(kept, data[i], data[i+1])
			i++
		}
	}
	return kept
}
