package schema

// stepParts are a step and what it does.
func stepParts() []part {
	return append([]part{stepPart(), loopPart(), remindPart(), timeoutPart(), branchPart(), splitPart(), variantPart(), runPart()}, actionParts()...)
}

func stepPart() part {
	return part{
		name: "step", doc: "One step. In this order: set, language, say, and then one thing at most: expect, form, branch, split, run, an action (book, hold, reschedule, cancel, assign), call, handover or end.",
		required: []string{"name"},
		fields: []field{
			{"name", ref("name").like("guests"), "Name of the step, unique in the flow. In a sub-flow it is then called subflow.step."},
			{"set", ref("assignments").like(map[string]string{"score": "score + 1"}), "Computed values, before anything is said: slot to expression."},
			{"language", ref("expression"), "An expression that gives a language tag: the session goes on in that language."},
			{"say", ref("say"), "What is said."},
			{"expect", ref("expect"), "Waits for an answer."},
			{"form", ref("form"), "Sends a WhatsApp form and waits for its result."},
			{"branch", list(ref("branch")), "The first branch that holds is taken; the last has no if."},
			{"split", ref("split"), "Divides the sessions at random, for good: an A/B test."},
			{"run", ref("run"), "Runs a sub-flow and comes back."},
			{"book", ref("book"), "Books a slot; say is said if it was booked."},
			{"hold", ref("hold"), "Keeps a slot for the person for a while; book makes it theirs."},
			{"reschedule", ref("reschedule"), "Moves a booking of the person to another slot."},
			{"cancel", ref("cancel"), "Cancels a booking of the person."},
			{"assign", ref("assign"), "Gives the person's lead to an agent of a pool."},
			{"call", ref("call"), "Asks a system of yours and waits for its answer; say is said meanwhile."},
			{"handover", ref("handover"), "A human takes over, the bot is silent."},
			{"end", word("completed", "cancelled"), "The flow ends."},
			{"goto", ref("target"), "The step that comes next; without it the one below. In a sub-flow the last step returns."},
			{"loop", ref("loop"), "How often the session may come back to this step, and where it goes instead."},
			{"undelivered", ref("target"), "Where a question leads that does not arrive; without it what the flow says."},
			{"remind", reminders(), "What is said to a person who does not answer."},
			{"timeout", ref("timeout"), "When the wait for the answer ends, and where the session goes then."},
		},
		also: func(n *node) { n.OneOf = stepKinds() },
	}
}

// stepKinds are what a step can be; it is one of them.
func stepKinds() []*node {
	kinds := []*node{
		{Title: "a question", Required: []string{"expect", "say"}},
		{Title: "a form", Required: []string{"form", "say"}},
		{Title: "branches", Required: []string{"branch"}, Not: has("goto")},
		{Title: "an A/B test", Required: []string{"split"}, Not: has("goto")},
		{Title: "a sub-flow", Required: []string{"run"}},
		{Title: "a booking", Required: []string{"book"}},
		{Title: "a hold", Required: []string{"hold"}},
		{Title: "a move of a booking", Required: []string{"reschedule"}},
		{Title: "a cancellation", Required: []string{"cancel"}},
		{Title: "an assignment", Required: []string{"assign"}},
		{Title: "a call", Required: []string{"call"}},
		{Title: "a handover", Required: []string{"handover"}, Not: has("goto")},
		{Title: "an end", Required: []string{"end"}, Not: has("goto")},
	}
	does := []*node{has("say"), has("set"), has("language"), has("goto")}
	none := &node{AnyOf: eachOf("expect", "form", "branch", "split", "run", "book", "hold", "reschedule", "cancel", "assign", "call", "handover", "end")}
	return append(kinds, &node{Title: "a message", AnyOf: does, Not: none})
}

func reminders() *node {
	n := list(ref("remind"))
	n.MaxItems = 5
	return n
}

func remindPart() part {
	return part{
		name: "remind", doc: "One reminder.", required: []string{"after", "say"},
		fields: []field{
			{"after", anyOf(&node{Const: "auto"}, ref("duration")).like("3h", "auto"), "How long the person has been silent. auto: as measured at this step; the first reminder only."},
			{"say", ref("say"), "What is said. A day after their last message it can only be a template."},
		},
	}
}

func timeoutPart() part {
	return part{
		name: "timeout", doc: "The end of the wait.", required: []string{"after", "goto"},
		fields: []field{
			{"after", ref("duration").like("2h"), "How long after the question."},
			{"goto", ref("target"), "Where the session goes."},
		},
	}
}

func loopPart() part {
	return part{
		name: "loop", doc: "A budget for coming back.", required: []string{"max"},
		fields: []field{
			{"max", count(1, 1000).otherwise(100), "How often the session may come back to this step from a later one."},
			{"then", ref("target"), "Where it goes instead; without it the session is cancelled."},
		},
	}
}

func branchPart() part {
	return part{
		name: "branch", doc: "One branch. The last has no if.", required: []string{"goto"},
		fields: []field{
			{"if", ref("expression").like("guests > 8"), "The condition."},
			{"goto", ref("target"), "The step that comes next if it holds."},
		},
	}
}

func splitPart() part {
	variants := list(ref("variant"))
	variants.MinItems = 2
	return part{
		name: "split", doc: "An A/B test: who got a variant keeps it.", required: []string{"test", "variants", "goal"},
		fields: []field{
			{"test", ref("name"), "The name of the test."},
			{"variants", variants, "The variants, two at least."},
			{"goal", ref("target"), "The step that counts as success when it is reached, or completed."},
		},
	}
}

func variantPart() part {
	return part{
		name: "variant", doc: "One variant of a test.", required: []string{"name", "weight", "goto"},
		fields: []field{
			{"name", ref("name").like("a"), "Its name."},
			{"weight", count(1, 10_000).like(50), "Its share, in relation to the others."},
			{"goto", ref("target"), "The step that comes next."},
		},
	}
}

func runPart() part {
	return part{
		name: "run", doc: "Runs a sub-flow and comes back.", required: []string{"subflow"},
		fields: []field{
			{"subflow", ref("name"), "The name of the sub-flow, one of subflows."},
			{"with", ref("assignments"), "Sets slots before it: slot to expression."},
			{"save", ref("assignments"), "Sets slots after it: slot to expression."},
		},
	}
}
