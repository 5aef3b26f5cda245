package wasender_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files in testdata; read the diff")

var receivedAt = time.UnixMilli(1776000099000)

// TestCorpus splits and decodes every payload of testdata and compares what comes
// out with the golden file beside it.
func TestCorpus(t *testing.T) {
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil || len(payloads) < 10 {
		t.Fatalf("found %d payloads: %v", len(payloads), err)
	}
	for _, path := range payloads {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".json") + ".golden"
			got := describe(t, body)
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; got:\n%s", golden, got)
			}
		})
	}
}

// describe writes down every envelope of a body and what decoding it gives.
func describe(t *testing.T, body []byte) string {
	t.Helper()
	var b strings.Builder
	for _, e := range split(t, body) {
		fmt.Fprintf(&b, "%s %s\n", e.GetKind(), e.GetId())
		fmt.Fprintf(&b, "  lane %s, field %q, at %d\n", e.GetLaneKey(), e.GetField(), e.GetProviderAtMs())
		if c := e.GetContact(); proto.Size(c) > 0 {
			fmt.Fprintf(&b, "  phone %q, bsuid %q, name %q\n", c.GetPhone(), c.GetBsuid(), c.GetName())
			if c.GetLid() != c.GetBsuid() {
				fmt.Fprintf(&b, "  lid %q\n", c.GetLid())
			}
		}
		switch e.GetKind() {
		case parleyv1.Kind_KIND_MESSAGE:
			describeMessage(&b, e)
		case parleyv1.Kind_KIND_RECEIPT:
			r, err := wasender.DecodeReceipt(e)
			fmt.Fprintf(&b, "  wamid %s, rank %d, failed %v, at %d, error %d, %v\n", r.WAMID, r.Rank, r.Failed, r.At.UnixMilli(), r.ErrorCode, err)
		case parleyv1.Kind_KIND_UNREADABLE:
			fmt.Fprintf(&b, "  reason %q\n", e.GetReason())
		case parleyv1.Kind_KIND_ACCOUNT:
			if status, ok := wasender.DecodeSession(e); ok {
				fmt.Fprintf(&b, "  session %s\n", status)
			}
			for _, fact := range wasender.DecodeNotice(e).GetFacts() {
				fmt.Fprintf(&b, "  notice %s\n", compactJSON(fact))
			}
		case parleyv1.Kind_KIND_VOICE_CALL:
			call, err := wasender.DecodeVoiceCall(e)
			fmt.Fprintf(&b, "  call %s, %v\n", compactJSON(call), err)
		}
		fmt.Fprintf(&b, "  raw %s\n", bytes.TrimSpace(e.GetRaw()))
	}
	return b.String()
}

func describeMessage(b *strings.Builder, e *parleyv1.Envelope) {
	msg, ok, err := wasender.DecodeMessage(e)
	switch {
	case err != nil:
		fmt.Fprintf(b, "  error %q\n", err)
	case wasender.DecodeGroupMessage(e) != nil:
		fmt.Fprintf(b, "  group %s\n", compactJSON(wasender.DecodeGroupMessage(e)))
	case !ok:
		fmt.Fprintf(b, "  aside %s\n", compactJSON(wasender.DecodeAside(e)))
	default:
		fmt.Fprintf(b, "  %s %q\n", msg.GetType(), msg.GetText())
		msg.Type, msg.Text = "", ""
		if rest := compactJSON(msg); rest != "{}" {
			fmt.Fprintf(b, "  %s\n", rest)
		}
	}
}

// compactJSON writes a message the same in every build, as protojson alone does not.
func compactJSON(m proto.Message) string {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return err.Error()
	}
	return b.String()
}

// split splits a body and checks what holds of every body.
func split(t *testing.T, body []byte, secrets ...string) []*parleyv1.Envelope {
	t.Helper()
	envelopes := wasender.Split(body, channel, receivedAt, secrets...)
	if len(envelopes) == 0 {
		t.Error("nothing is left")
	}
	for _, e := range envelopes {
		checkEnvelope(t, e)
	}
	return envelopes
}

// checkEnvelope holds of every envelope that Split makes, of whatever body.
func checkEnvelope(t *testing.T, e *parleyv1.Envelope) {
	t.Helper()
	switch {
	case e.GetId() == "" || e.GetKind() == parleyv1.Kind_KIND_UNSPECIFIED:
		t.Errorf("envelope without id or kind: %v", e)
	case e.GetProvider() != "wasender" || e.GetChannel() != channel || e.GetPortfolio() != "" || e.GetReceivedAtMs() != receivedAt.UnixMilli():
		t.Errorf("wrong provider, channel, portfolio or time: %v", e)
	case e.GetLaneKey() == "":
		t.Errorf("envelope without a lane: %v", e)
	case (e.GetReason() != "") != (e.GetKind() == parleyv1.Kind_KIND_UNREADABLE):
		t.Errorf("%s with reason %q", e.GetKind(), e.GetReason())
	case e.GetKind() == parleyv1.Kind_KIND_MESSAGE && e.GetLaneKey() == channel:
		t.Errorf("a message of nobody: %v", e)
	}
	if _, err := proto.Marshal(e); err != nil {
		t.Errorf("envelope cannot be stored: %v", err)
	}
}
