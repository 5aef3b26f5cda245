package session

import "strconv"

const (
	stream = "WA_IN" // bad
	filter = `wa.in.>` // bad
	help   = "reads WA_IN and answers"
	other  = "WA_INx"
)

func subject(shard int) string {
	return "wa." + "events." + strconv.Itoa(shard) // bad
}
