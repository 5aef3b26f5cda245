package bus

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Headers of an atomic batch (NATS ADR-50). The server stages the messages and stores
// them all, with one fsync, when it sees the commit; a batch that never gets one leaves
// nothing behind.
const (
	headerBatchID       = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
)

const (
	// serverMaxBatch is the server's limit of messages in one atomic batch.
	serverMaxBatch = 1000
	// singlesMax is up to how many messages single publishes beat an atomic batch. A batch
	// costs 1 to 2 ms of CPU and about 9 fsyncs whatever its size (the server stages it in
	// files of its own); singles that are under way together cost 0.06 ms and an fsync each.
	// On a slow disk more callers wait for each other, so batches take over by themselves.
	singlesMax = 16
	// batchHeaderBytes is what the headers of a batch add to a message at most.
	batchHeaderBytes = 128
	// maxHeaderBytes is the server's limit of all headers of a stored message.
	maxHeaderBytes = 1<<16 - 1
)

// together reports whether the calls must or should be one atomic batch. Messages of one
// subject in one call are never stored one by one: where a limit refused one of them and
// took the next, their order would be lost. (Messages of different subjects have no
// order.) StreamEvents does without, because its file store refuses batches (see Declare)
// and its readers fill every gap from PostgreSQL.
func (p *Publisher) together(calls []*call) bool {
	if p.stream == StreamEvents {
		return false
	}
	messages := 0
	for _, c := range calls {
		messages += len(c.messages)
		if c.ordered() {
			return true
		}
	}
	return messages > singlesMax
}

// ordered reports whether two messages of the call have the same subject.
func (c *call) ordered() bool {
	for i, m := range c.messages {
		for _, earlier := range c.messages[:min(i, singlesMax)] {
			if m.Subject == earlier.Subject {
				return true
			}
		}
	}
	return false
}

// storeBatch stores the calls as one atomic batch: all or nothing. Only the commit has
// a reply; whatever was wrong before it makes the commit fail.
func (p *Publisher) storeBatch(calls []*call) error {
	var messages []Message
	for _, c := range calls {
		messages = append(messages, c.messages...)
	}
	id := nuid.Next()
	last := len(messages) - 1
	for i, m := range messages[:last] {
		if err := p.nc.PublishMsg(inBatch(m, id, i+1)); err != nil {
			return fmt.Errorf("message %d of a batch of %d: %w", i+1, len(messages), err)
		}
	}
	commit := inBatch(messages[last], id, last+1)
	commit.Header[headerBatchCommit] = []string{"1"}
	if err := p.await(p.start(commit)); err != nil {
		return fmt.Errorf("commit a batch of %d: %w", len(messages), err)
	}
	return nil
}

// storeEach stores the calls message by message, all of them under way at the same time,
// in order.
func (p *Publisher) storeEach(calls []*call) {
	acks := make([][]ack, len(calls))
	for i, c := range calls {
		for _, m := range c.messages {
			acks[i] = append(acks[i], p.start(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}))
		}
	}
	for i, c := range calls {
		var failed error
		for _, a := range acks[i] {
			if err := p.await(a); err != nil && failed == nil {
				failed = err
			}
		}
		p.settle(c, failed)
	}
}

// ack is an acknowledgement on its way, or why there will be none.
type ack struct {
	future jetstream.PubAckFuture
	err    error
}

func (p *Publisher) start(m *nats.Msg) ack {
	// No retries of the client's own: one would arrive behind its successors.
	future, err := p.js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0))
	return ack{future: future, err: err}
}

// await returns when the server answered, at the latest after the publisher's timeout
// or when the connection is lost.
func (p *Publisher) await(a ack) error {
	if a.err != nil {
		return a.err
	}
	select {
	case stored := <-a.future.Ok():
		if stored.Stream != p.stream {
			return fmt.Errorf("stored in stream %s instead", stored.Stream)
		}
		return nil
	case err := <-a.future.Err():
		return err
	}
}

func inBatch(m Message, id string, sequence int) *nats.Msg {
	header := make(nats.Header, len(m.Header)+3)
	maps.Copy(header, m.Header)
	header[headerBatchID] = []string{id}
	header[headerBatchSequence] = []string{strconv.Itoa(sequence)}
	return &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
}

// checkSize refuses a message that the server would refuse, before it spoils a batch.
func (p *Publisher) checkSize(m Message) error {
	if header := m.headerSize(); header > maxHeaderBytes {
		return fmt.Errorf("%w: %d bytes of headers, at most %d", ErrTooLarge, header, maxHeaderBytes)
	}
	if size, limit := m.size(), p.nc.MaxPayload(); int64(size) > limit {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, limit)
	}
	return nil
}

// size is what the message counts on the wire, as part of a batch.
func (m Message) size() int { return len(m.Data) + m.headerSize() }

func (m Message) headerSize() int {
	size := len("NATS/1.0\r\n\r\n") + batchHeaderBytes
	for name, values := range m.Header {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	return size
}
