package meta

import (
	"slices"
	"strconv"
)

// Class says what a sender does after a failed send.
type Class uint8

// The classes. Only Retry and those that name what must wait are safe to send
// again; Ambiguous must not be sent again before a receipt could have settled it.
// Number, account and app are the business number, the WhatsApp Business account
// that it belongs to, and the app whose token is used.
const (
	Permanent     Class = iota // this message will never go
	RetryNumber                // the number must slow down
	RetryPair                  // this number and this recipient must slow down
	RetryAccount               // the account must slow down, for minutes
	RetryApp                   // the app must slow down, for minutes
	RestNumber                 // the number must rest for hours
	StopNumber                 // the number cannot send until somebody repairs it
	StopAccount                // the account cannot send until somebody repairs it
	ParkTemplate               // this message will never go, nor others of its template for a while
	StopTemplates              // this message will never go, nor any template of the account for a while
	ParkForm                   // this message will never go, nor others with its form for a while
	Retry                      // not sent; try this message again
	Ambiguous                  // it may have been sent
)

var classNames = [...]string{
	"permanent", "retry number", "retry pair", "retry account", "retry app", "rest number", "stop number", "stop account",
	"park template", "stop templates", "park form", "retry", "ambiguous",
}

// String is the class in words, fit for logs and metric labels.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// ParseClass reads what String wrote.
func ParseClass(name string) (c Class, ok bool) {
	i := slices.Index(classNames[:], name)
	return Class(max(i, 0)), i >= 0
}

// codeClass is what Meta's error codes first..last mean. The title is ours.
type codeClass struct {
	first, last int
	class       Class
	title       string
	// alarm is set where the class alone would not call somebody: a template or a
	// message of ours is wrong, and will be wrong for everybody.
	alarm bool
}

// codeClasses holds every code that a send can be answered with and that is known
// to us. Source: Meta, "Cloud API error codes". Codes that Meta advises to retry
// only a few times are Retry as well: the sender bounds its attempts. 131049 asks
// not to send the same again within 24 h: Permanent sends it never.
var codeClasses = []codeClass{
	{130429, 130429, RetryNumber, "number throughput", false},
	{131057, 131057, RetryNumber, "number in maintenance", false},
	{131056, 131056, RetryPair, "pair rate", false},
	{80007, 80007, RetryAccount, "account rate", false},
	{4, 4, RetryApp, "app call rate", false},
	{17, 17, RetryApp, "user call rate", false},
	{613, 613, RetryApp, "call rate", false},

	{133004, 133004, Retry, "server unavailable", false},
	{131016, 131016, Retry, "service unavailable", false},
	{2, 2, Retry, "service unavailable", false},
	{131000, 131000, Retry, "unknown error", false},
	{1, 1, Retry, "unknown error", false},
	{135000, 135000, Retry, "unknown error", false},
	{131053, 131053, Retry, "media upload", false},

	{131048, 131048, RestNumber, "spam limit", false},
	{133010, 133010, StopNumber, "number not registered", false},
	{131045, 131045, StopNumber, "certificate", false},
	{33, 33, StopNumber, "number deleted", false},
	{131037, 131037, StopNumber, "display name not approved", false},

	{0, 0, StopAccount, "access token", false},
	{190, 190, StopAccount, "access token expired", false},
	{3, 3, StopAccount, "capability", false},
	{10, 10, StopAccount, "permission", false},
	{131005, 131005, StopAccount, "access denied", false},
	{200, 299, StopAccount, "permission", false},
	{368, 368, StopAccount, "policy block", false},
	{131031, 131031, StopAccount, "account locked", false},
	{130497, 130497, StopAccount, "country restricted", false},
	{131042, 131042, StopAccount, "payment", false},
	{131044, 131044, StopAccount, "payment", false},

	{131047, 131047, Permanent, "24 hour window closed", false},
	{131026, 131026, Permanent, "undeliverable", false},
	{131049, 131049, Permanent, "marketing limit of the person", false},
	{131050, 131050, Permanent, "person opted out of marketing", false},
	{130472, 130472, Permanent, "experiment", false},
	{131062, 131062, Permanent, "needs a phone number", false},
	{131063, 131063, Permanent, "marketing not allowed here", true},
	{131064, 131064, StopTemplates, "template category limit", false},
	{131021, 131021, Permanent, "sender is recipient", true},
	{131008, 131008, Permanent, "parameter missing", true},
	{131009, 131009, Permanent, "parameter invalid", true},
	{131051, 131051, Permanent, "message type unsupported", true},
	{100, 100, Permanent, "parameter invalid", true},
	{131030, 131030, Permanent, "recipient not allowed", false},
	{130403, 130403, Permanent, "person blocked", false},
	{132000, 132000, Permanent, "template parameters", true},
	{132001, 132001, Permanent, "template missing", true},
	{132005, 132005, Permanent, "template too long", true},
	{132007, 132007, Permanent, "template policy", true},
	{132008, 132008, Permanent, "template parameters", true},
	{132012, 132012, Permanent, "template parameters", true},
	{132015, 132015, ParkTemplate, "template paused", false},
	{132016, 132016, ParkTemplate, "template disabled", false},
	{132068, 132068, ParkForm, "form blocked", false},
	{132069, 132069, ParkForm, "form throttled", false},
	{133016, 133016, Permanent, "registration attempts", false},
	{137000, 137000, Permanent, "identity hash", false},
	{131052, 131052, Permanent, "media download", false},
	{131059, 131059, Permanent, "group", false},
	{131200, 131299, Permanent, "group", false},
}

// classOf looks a code up.
func classOf(code int) (codeClass, bool) {
	for _, c := range codeClasses {
		if c.first <= code && code <= c.last {
			return c, true
		}
	}
	return codeClass{}, false
}
