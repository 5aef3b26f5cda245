package patience

import "time"

// Source is the flow that the people meet.
const Source = `name: visit
language: en
zone: Europe/Madrid
quiet_hours: {from: "21:00", to: "08:00"}
expire: {after: 3d}
handover: {give_back_after: 12h, to: sure}
entry: [{default: true}]
keywords:
  restart: [RESTART]
  stop: {words: [STOP], say: Bye.}
  agent: {words: [AGENT], handover: sales}
steps:
  - name: who
    say: Who are you?
    expect: {type: text, save: who}
    remind:
      - {after: 3h, say: Are you still there?}
      - {after: 20h, say: I can wait until tomorrow.}
      - {after: 30h, say: {template: {name: come_back, language: en_US}}}
  - name: kind
    say: And what?
    expect: {type: choice, options: [Cut, Colour], save: kind, attempts: 3, then: human}
    remind:
      - {after: auto, say: Cut or colour?}
      - {after: 40h, say: {template: {name: come_back, language: en_US}}}
  - name: sure
    say: Is that all?
    expect: {type: yes_no, save: sure}
    remind: [{after: 10m, say: Yes or no?}]
    timeout: {after: 5h, goto: bye}
  - name: day
    say: Which day?
    expect: {type: text, save: day}
    remind: [{after: 50m, say: Just a day.}, {after: 23h, say: "Today, perhaps?"}]
    timeout: {after: 2d, goto: human}
  - {name: bye, end: completed}
  - {name: human, say: Somebody will write to you., handover: sales}
completed: {say: Thank you., again: Thanks., restart: 2d}
`

// question is what the flow promises while it waits at a step.
type question struct {
	reminders []reminder
	timeout   time.Duration // 0 is none
}

type reminder struct {
	after    time.Duration // for one that chooses its time, the soonest
	template bool
	auto     bool
}

// The promises, written down a second time: the judge does not ask the engine.
const (
	window      = 24 * time.Hour
	expireAfter = 72 * time.Hour
	archived    = 24 * time.Hour
	quietFrom   = 21
	quietTo     = 8
)

var questions = map[string]question{
	"who":  {reminders: []reminder{{after: 3 * time.Hour}, {after: 20 * time.Hour}, {after: 30 * time.Hour, template: true}}},
	"kind": {reminders: []reminder{{after: 10 * time.Minute, auto: true}, {after: 40 * time.Hour, template: true}}},
	"sure": {reminders: []reminder{{after: 10 * time.Minute}}, timeout: 5 * time.Hour},
	"day":  {reminders: []reminder{{after: 50 * time.Minute}, {after: 23 * time.Hour}}, timeout: 48 * time.Hour},
}
