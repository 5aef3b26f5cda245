package flow

// Rules of the linter, each with what it looks for. The names are stable: they
// stand in messages, in the README's table, and in what people search for.
const (
	ruleYAML        = "yaml"        // the file is YAML, and one flow
	ruleField       = "field"       // fields are known, and there once
	ruleMissing     = "missing"     // required fields are there
	ruleValue       = "value"       // a value is of the right kind
	ruleName        = "name"        // names can be names, and are used once
	ruleLanguage    = "language"    // language tags are tags, and declared
	ruleText        = "text"        // placeholders and plurals are written right
	ruleSlot        = "slot"        // a slot that is used surely has a value
	ruleType        = "type"        // a value fits the type of its place
	ruleExpression  = "expression"  // expressions compile
	ruleTarget      = "target"      // goto names a step
	ruleUnreachable = "unreachable" // every step can be reached
	ruleDeadEnd     = "dead-end"    // from every step the flow can end
	ruleEndless     = "endless"     // no circle of steps without a question
	ruleLimit       = "limit"       // WhatsApp's limits, and Parley's
	ruleKeyword     = "keyword"     // a keyword means one thing
	ruleChoice      = "choice"      // options can be told apart
	ruleEntry       = "entry"       // entries do not hide each other
	ruleTranslation = "translation" // warning: every text in every language
	rulePlural      = "plural"      // warning: every plural form of a language
	ruleUnused      = "unused"      // warning: what is declared is used
	ruleShadow      = "shadow"      // warning: an option that is also a keyword
	ruleHandover    = "handover"    // warning: who is handed over hears nothing
	ruleSubflow     = "subflow"     // sub-flows are there and do not call themselves
	ruleZone        = "zone"        // the time zone is known
	ruleSplit       = "split"       // a test has variants, weights and a goal
	ruleWindow      = "window"      // warning: what the API begins begins with templates
	ruleFile        = "file"        // files are there, and WhatsApp takes them
)
