package platform

import (
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// SignalSession tells whoever watches the channel's session what was heard of it. It
// waits for nobody, and one that gets lost is no harm: the watcher asks by itself.
func (d *Deps) SignalSession(channel string, s *parleyv1.SessionSignal) {
	data, err := proto.Marshal(s)
	if err == nil {
		err = d.NATS.Publish(bus.SubjectSignal(channel), data)
	}
	if err != nil {
		d.Log.Debug().Err(err).Str("channel", channel).Msg("signal of a session not sent")
	}
}
