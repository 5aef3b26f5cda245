package bus

const (
	StreamIn = "WA_IN"
	rootIn   = "wa.in"
)
