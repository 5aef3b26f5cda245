package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	waba = "200000000000001"
	// people is how many contacts there are.
	people = 5000
	// answerMax is how long a caller waits for an answer.
	answerMax = 10 * time.Second
)

// What stands in the template in the place of a webhook's own phone and message id.
const (
	phoneMark, phoneFormat = "49100000000", "491%08d"
	idMark, idFormat       = "wamid.bench.000000000000", "wamid.bench.%012d"
)

var template = fake.Payload(waba, channel, fake.Text(fake.Person{Phone: phoneMark, Name: "Ada Lovelace"}, idMark, time.Now(), "I would like to book."))

// newWebhook is the body of the n-th webhook: a message of its own from one of the
// people. Writing it whole each time would cost the machine more than what is measured.
func newWebhook(n uint64) []byte {
	body := bytes.ReplaceAll(template, []byte(phoneMark), fmt.Appendf(nil, phoneFormat, n%people))
	return bytes.ReplaceAll(body, []byte(idMark), fmt.Appendf(nil, idFormat, n))
}

// caller is a client with one keep-alive connection. It does without http.Client,
// because it shares the cores with what it measures.
type caller struct {
	conn   net.Conn
	reader *bufio.Reader
	out    []byte
}

func newCaller(ctx context.Context, addr string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, reader: bufio.NewReader(conn)}, nil
}

func (c *caller) close() { c.conn.Close() }

// post signs and posts a webhook, and returns nil if it was answered 200.
func (c *caller) post(body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "POST /webhooks/meta HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"X-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n", c.conn.RemoteAddr(), fake.Sign(appSecret, body), len(body))
	c.out = append(c.out, body...)
	if err := c.conn.SetDeadline(time.Now().Add(answerMax)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New("webhook answered " + response.Status + ": " + string(said))
	}
	return err
}
