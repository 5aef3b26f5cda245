package meta

import (
	"encoding/json"
	"strconv"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Again takes apart what a KIND_ACCOUNT envelope of an older version holds whole, a change
// of a field that was not known then. The ids are those that its parts have had since.
func Again(e *parleyv1.Envelope) []*parleyv1.Envelope {
	id, err := json.Marshal(e.GetChannel())
	if err != nil {
		return nil
	}
	body := append([]byte(`{"object":"whatsapp_business_account","entry":[{"id":`), id...)
	body = append(body, `,"time":`...)
	body = strconv.AppendInt(body, e.GetProviderAtMs()/1000, 10)
	body = append(body, `,"changes":[`...)
	body = append(append(body, e.GetRaw()...), `]}]}`...)
	return Split(body, time.UnixMilli(e.GetReceivedAtMs()))
}
