package schema

// actionParts are what a step can do to slots, bookings and leads.
func actionParts() []part {
	return []part{bookPart(), holdPart(), reschedulePart(), cancelPart(), assignPart(), callPart(), wayPart()}
}

var (
	slotField    = field{"slot", ref("expression").like("hour"), "The slot: what a choice of free slots saved."}
	placesField  = field{"places", ref("expression").like("people"), "How many places; without it one."}
	takenField   = field{"taken", ref("way"), "Where to go if it cannot be had any more."}
	missingField = field{"missing", ref("way"), "Where to go if there is no such booking."}
	whichField   = field{"booking", ref("expression").like("booking"), "Which booking: the id that book kept. Without it the person's next one."}
	serviceField = field{"service", ref("expression").like(`"haircut"`), "The next one of this service."}
)

// keepSlot keeps columns of a booking.
func keepSlot() field {
	return field{"keep", mapping(word("slot", "service", "calendar", "day", "time", "booking"), map[string]string{"booking": "booking", "hour": "time"}), "What is kept if it was done: slot to column."}
}

func bookPart() part {
	return part{
		name: "book", doc: "Books a slot. Who has it already keeps it: nobody books one twice.", required: []string{"slot", "taken"},
		fields: []field{slotField, placesField, keepSlot(), takenField},
	}
}

func holdPart() part {
	return part{
		name: "hold", doc: "Keeps a slot for the person; after that time it is free again.", required: []string{"slot", "for", "taken"},
		fields: []field{slotField, placesField, {"for", ref("duration").like("10m"), "How long."}, keepSlot(), takenField},
	}
}

func reschedulePart() part {
	return part{
		name: "reschedule", doc: "Moves a booking to another slot, at once or not at all.", required: []string{"slot", "taken", "missing"},
		fields: []field{whichField, serviceField, slotField, keepSlot(), takenField, missingField},
	}
}

func cancelPart() part {
	return part{
		name: "cancel", doc: "Cancels a booking.", required: []string{"missing"},
		fields: []field{whichField, serviceField, keepSlot(), missingField},
	}
}

func assignPart() part {
	return part{
		name: "assign", doc: "Gives the person's lead to the agent of a pool who has least to do.", required: []string{"pool", "none"},
		fields: []field{
			{"pool", ref("name").like("sales"), "The pool."},
			{"skills", ref("expression").like(`"es solar"`), "What the agent must know: words with blanks between them."},
			{"keep", mapping(word("lead", "pool", "agent", "agent_name"), map[string]string{"agent": "agent_name"}), "What is kept if somebody has it: slot to column."},
			{"queued", ref("way"), "Where to go if it waits for somebody; without it on, as if somebody had it."},
			{"none", ref("way"), "Where to go if the pool has nobody who could ever take it."},
		},
	}
}

func callPart() part {
	return part{
		name: "call", doc: "Asks a system of yours over HTTP. The session waits; what comes too late changes nothing.", required: []string{"url", "failed"},
		fields: []field{
			{"url", text("https://crm.example.org/orders/{order}"), "The address. Behind the host it may have expressions in braces."},
			{"method", word("GET", "POST", "PUT", "PATCH", "DELETE"), "Without it POST if there is a body, else GET."},
			{"query", mapping(ref("expression"), map[string]string{"email": "email"}), "What is added to the address: name to expression."},
			{"body", mapping(ref("expression"), map[string]string{"name": "name", "guests": "guests"}), "A JSON object: name to expression."},
			{"headers", mapping(text(), map[string]string{"Authorization": "Bearer ${secret:CRM}"}), "Headers; secrets are named."},
			{"timeout", ref("duration").like("20s"), "How long the session waits, tries included: 1s to 1h, without it 30s."},
			{"keep", mapping(text(), map[string]string{"status": "order.status"}), "What is kept of the answer: slot to the path of a field in its JSON."},
			{"busy", ref("say"), "What is said to who writes meanwhile; without it nothing."},
			{"failed", ref("way"), "Where to go if it cannot be asked, does not answer in time, or answers with an error."},
		},
	}
}

func wayPart() part {
	return part{
		name: "way", doc: "What happens if something was not done.", required: []string{"goto"},
		fields: []field{
			{"say", ref("say"), "What is said."},
			{"goto", ref("target"), "The step that comes next."},
		},
	}
}

func freePart() part {
	return part{
		name: "free", doc: "The slots of a service that are free, the next first.", required: []string{"service"},
		fields: []field{
			{"service", ref("expression").like("service"), "The service."},
			{"calendar", ref("expression").like("stylist"), "Only of this calendar."},
			{"day", ref("expression").like("day"), "Only on this day."},
			{"places", ref("expression").like("people"), "Only with so many places; without it one."},
			{"next", count(1, 200).like(10), "Only the next so many."},
		},
	}
}
