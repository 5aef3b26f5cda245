package fake

import "time"

// Past is a message of before the number was connected, as a chunk of the history with
// one thread: of the person, or of the business. Its type and body are those of a message.
func Past(p Person, id string, at time.Time, ours bool, typ string, body any) Item {
	with := p.Phone
	if with == "" {
		with = p.BSUID
	}
	message := map[string]any{"id": id, "timestamp": seconds(at), "type": typ, "from": with, "history_context": map[string]any{"status": "READ"}}
	if ours {
		message["from"] = displayNumber
	}
	if body != nil {
		message[typ] = body
	}
	return Item{field: "history", list: "history", value: encode(map[string]any{
		"threads": []any{map[string]any{"id": with, "messages": []any{message}}},
	})}
}

// HistoryProgress says how far the history has come.
func HistoryProgress(phase, percent int) Item {
	return Item{field: "history", list: "history", value: encode(map[string]any{
		"metadata": map[string]any{"phase": phase, "chunk_order": 1, "progress": percent}, "threads": []any{},
	})}
}

// PastFile is the file of a message of before, which Meta tells later and in no thread.
func PastFile(p Person, id string, at time.Time) Item {
	item := Image(p, id, at, "")
	item.field, item.contact = "history", nil
	return item
}

// HistoryDeclined says that the business keeps its history for itself.
func HistoryDeclined() Item {
	return Item{field: "history", list: "history", value: encode(map[string]any{
		"errors": []any{map[string]any{"code": 2593109, "title": "History sync is turned off by the business from the WhatsApp Business App"}},
	})}
}

// Call is a step of a call that p makes: "connect", or "terminate" with how long they
// talked; 0 if nobody took it.
func Call(p Person, id string, at time.Time, event string, length time.Duration) Item {
	call := map[string]any{"id": id, "timestamp": seconds(at), "event": event, "direction": "USER_INITIATED", "to": displayNumber}
	setIfAny(call, "from", p.Phone)
	setIfAny(call, "from_user_id", p.BSUID)
	switch {
	case event == "connect":
		call["session"] = map[string]any{"sdp_type": "offer", "sdp": "v=0 IN IP4 192.0.2.7"}
	case length > 0:
		call["status"], call["duration"] = "COMPLETED", int(length.Seconds())
	default:
		call["status"] = "FAILED"
	}
	return Item{field: "calls", list: "calls", value: encode(call), contact: contactOf(p)}
}

// Book says that the business added p to the address book of its phone, or removed them.
func Book(p Person, at time.Time, action string) Item {
	entry := map[string]any{}
	setIfAny(entry, "phone_number", p.Phone)
	setIfAny(entry, "user_id", p.BSUID)
	setIfAny(entry, "full_name", p.Name)
	return Item{field: "smb_app_state_sync", list: "state_sync", value: encode(map[string]any{
		"type": "contact", "action": action, "contact": entry, "metadata": map[string]any{"timestamp": seconds(at)},
	})}
}

// Payment is what became of p's payment of an order that was sent to them.
func Payment(p Person, wamid, status, reference string, at time.Time) Item {
	payment := map[string]any{
		"id": wamid, "type": "payment", "status": status, "timestamp": seconds(at), "payment": map[string]any{"reference_id": reference},
	}
	setIfAny(payment, "recipient_id", p.Phone)
	setIfAny(payment, "recipient_user_id", p.BSUID)
	return Item{field: "messages", list: "statuses", value: encode(payment)}
}

// Click says that somebody, whom Meta does not name, opened the link of a marketing message.
func Click(at time.Time) Item {
	return Item{field: "messages", list: "user_actions", value: encode(map[string]any{
		"action_type": "marketing_messages_link_click", "timestamp": seconds(at),
		"marketing_messages_link_click_data": map[string]any{"click_component": "cta", "click_id": "c"},
	})}
}

// InGroup says that a message was written in a group.
func InGroup(group string) Option {
	return func(message map[string]any) { message["group_id"] = group }
}

// Shared is the card of their own that p sends when asked for it: the phone is WhatsApp's
// own knowledge.
func Shared(p Person, id string, at time.Time, phone string) Item {
	card := map[string]any{"origin": "contact_request", "phones": []any{map[string]any{"phone": "+" + phone, "wa_id": phone, "type": "CELL"}}}
	return Message(p, id, at, "contacts", []any{card})
}
