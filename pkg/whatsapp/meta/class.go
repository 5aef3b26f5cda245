package meta

import "strconv"

// Class says what a sender does after a failed send.
type Class uint8

// The classes. Only Retry and those that name what must wait are safe to send
// again; Ambiguous must not be sent again before a receipt could have settled it.
const (
	Permanent    Class = iota // this message will never go
	RetryNumber               // the business number must slow down
	RetryPair                 // this number and this recipient must slow down
	RetryAccount              // the whole account must slow down, for minutes
	StopNumber                // the number cannot send until somebody repairs it
	StopAccount               // the account cannot send until somebody repairs it
	Retry                     // not sent; try this message again
	Ambiguous                 // it may have been sent
)

var classNames = [...]string{
	"permanent", "retry number", "retry pair", "retry account", "stop number", "stop account", "retry", "ambiguous",
}

// String is the class in words, fit for logs and metric labels.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// codeClass is what Meta's error codes first..last mean. The title is ours.
type codeClass struct {
	first, last int
	class       Class
	title       string
}

// codeClasses holds every code that a send can be answered with and that is known
// to us. Source: Meta, "Cloud API error codes". Codes that Meta advises to retry
// only a few times are Retry as well: the sender bounds its attempts. What parks
// one template or one form only is Permanent for the message that used it.
var codeClasses = []codeClass{
	{130429, 130429, RetryNumber, "number throughput"},
	{131057, 131057, RetryNumber, "number in maintenance"},
	{131056, 131056, RetryPair, "pair rate"},
	{80007, 80007, RetryAccount, "account rate"},
	{4, 4, RetryAccount, "app call rate"},

	{133004, 133004, Retry, "server unavailable"},
	{131016, 131016, Retry, "service unavailable"},
	{2, 2, Retry, "service unavailable"},
	{131000, 131000, Retry, "unknown error"},
	{1, 1, Retry, "unknown error"},
	{135000, 135000, Retry, "unknown error"},
	{131053, 131053, Retry, "media upload"},

	{131048, 131048, StopNumber, "spam limit"},
	{133010, 133010, StopNumber, "number not registered"},
	{131045, 131045, StopNumber, "certificate"},
	{33, 33, StopNumber, "number deleted"},
	{131037, 131037, StopNumber, "display name not approved"},

	{0, 0, StopAccount, "access token"},
	{190, 190, StopAccount, "access token expired"},
	{3, 3, StopAccount, "capability"},
	{10, 10, StopAccount, "permission"},
	{131005, 131005, StopAccount, "access denied"},
	{200, 299, StopAccount, "permission"},
	{368, 368, StopAccount, "policy block"},
	{131031, 131031, StopAccount, "account locked"},
	{130497, 130497, StopAccount, "country restricted"},
	{131042, 131042, StopAccount, "payment"},
	{131044, 131044, StopAccount, "payment"},

	{131047, 131047, Permanent, "24 hour window closed"},
	{131026, 131026, Permanent, "undeliverable"},
	{131049, 131049, Permanent, "marketing limit of the person"},
	{131050, 131050, Permanent, "person opted out of marketing"},
	{130472, 130472, Permanent, "experiment"},
	{131062, 131062, Permanent, "needs a phone number"},
	{131063, 131063, Permanent, "marketing not allowed here"},
	{131064, 131064, Permanent, "template category limit"},
	{131021, 131021, Permanent, "sender is recipient"},
	{131008, 131008, Permanent, "parameter missing"},
	{131009, 131009, Permanent, "parameter invalid"},
	{131051, 131051, Permanent, "message type unsupported"},
	{100, 100, Permanent, "parameter invalid"},
	{131030, 131030, Permanent, "recipient not allowed"},
	{130403, 130403, Permanent, "person blocked"},
	{132000, 132000, Permanent, "template parameters"},
	{132001, 132001, Permanent, "template missing"},
	{132005, 132005, Permanent, "template too long"},
	{132007, 132007, Permanent, "template policy"},
	{132008, 132008, Permanent, "template parameters"},
	{132012, 132012, Permanent, "template parameters"},
	{132015, 132015, Permanent, "template paused"},
	{132016, 132016, Permanent, "template disabled"},
	{132068, 132068, Permanent, "form blocked"},
	{132069, 132069, Permanent, "form throttled"},
	{133016, 133016, Permanent, "registration attempts"},
	{137000, 137000, Permanent, "identity hash"},
	{131052, 131052, Permanent, "media download"},
	{131059, 131059, Permanent, "group"},
	{131200, 131299, Permanent, "group"},
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
