package meta

import (
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// maxTapBytes bounds the id of what was tapped: WhatsApp lets a button's have 256 characters.
	maxTapBytes = 4 * 256
	// maxTypeBytes bounds the name of a type.
	maxTypeBytes = 64
	// maxItems bounds the lines of an order.
	maxItems = 1000
	// maxFieldBytes bounds every text that is about a message instead of being
	// the message: names, addresses, links. Meta's are far below.
	maxFieldBytes = 4096
)

// contentTypes are those that decodeContent reads.
var contentTypes = []string{"text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "interactive", "button", "order"}

// decodeContent reads the object that is named like the message's type. A message
// without what makes it one is kept without content: somebody waits for an answer.
func decodeContent(msg *parleyv1.IncomingMessage, body value) {
	switch msg.Type {
	case "text":
		if msg.Text = body.get("body").text(); msg.Text == "" {
			msg.Type = unsupported
		}
	case "image", "video", "audio", "voice", "document", "sticker":
		msg.Text = body.get("caption").text()
		if file := mediaOf(msg.Type, body); file.Id != "" { // Meta has not got it if it has no id (WIRE.md 3.4, 131052)
			msg.Content = &parleyv1.IncomingMessage_Media{Media: file}
		}
	case "location":
		if place := placeOf(body); place != nil {
			msg.Content = &parleyv1.IncomingMessage_Location{Location: place}
		}
	case "contacts":
		if card := cardOf(body.first()); proto.Size(card) > 0 {
			msg.Content = &parleyv1.IncomingMessage_Contact{Contact: card}
		}
	case "interactive":
		decodeReply(msg, body)
	case "button": // of a template, unlike those of an interactive message
		msg.Text, msg.Tap = body.get("text").text(), limited(body.get("payload"), maxTapBytes)
	case "order":
		msg.Text = body.get("text").text()
		msg.Content = &parleyv1.IncomingMessage_Order{Order: orderOf(body)}
	}
}

// decodeReply reads what a person tapped or filled in, whose type may be left out.
// Other replies are messages without content.
func decodeReply(msg *parleyv1.IncomingMessage, interactive value) {
	kind := interactive.get("type").text()
	for _, name := range []string{"button_reply", "list_reply", "nfm_reply"} {
		reply := interactive.get(name)
		switch {
		case kind != name && (kind != "" || !reply.isObject()):
		case name == "nfm_reply":
			msg.Text = reply.get("body").text()
			msg.Content = &parleyv1.IncomingMessage_Form{Form: formOf(reply)}
		default:
			msg.Text, msg.Tap = reply.get("title").text(), limited(reply.get("id"), maxTapBytes)
		}
	}
}

// mediaOf describes a file. "voice" is what recorded audio was called before Meta
// made it an audio with a flag.
func mediaOf(kind string, body value) *parleyv1.IncomingMedia {
	if kind == "voice" {
		kind = "audio"
	}
	return &parleyv1.IncomingMedia{
		Kind:      kind,
		Id:        idOf(body.get("id")),
		MimeType:  limited(body.get("mime_type"), maxFieldBytes),
		Sha256:    limited(body.get("sha256"), maxFieldBytes),
		Filename:  limited(body.get("filename"), maxFieldBytes),
		SizeBytes: int64(max(body.get("file_size").number(), 0)),
	}
}

// placeOf is nil unless both coordinates are numbers, and on the globe.
func placeOf(location value) *parleyv1.GeoPoint {
	latitude, north := location.get("latitude").decimal()
	longitude, east := location.get("longitude").decimal()
	if !north || !east || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return nil
	}
	return &parleyv1.GeoPoint{
		Latitude: latitude, Longitude: longitude,
		Name: limited(location.get("name"), maxFieldBytes), Address: limited(location.get("address"), maxFieldBytes),
	}
}

// cardOf reads one card of an address book. Meta promises none of its parts, not
// even a name.
func cardOf(card value) *parleyv1.ContactCard {
	name := card.get("name")
	c := &parleyv1.ContactCard{
		Name:         limited(name.get("formatted_name"), maxFieldBytes),
		Organization: limited(card.get("org", "company"), maxFieldBytes),
	}
	parts := []string{limited(name.get("first_name"), maxFieldBytes), limited(name.get("last_name"), maxFieldBytes)}
	fill(&c.Name, strings.TrimSpace(strings.Join(parts, " ")))
	for phone := range card.get("phones").elements() {
		fill(&c.Phone, limited(phone.get("phone"), maxFieldBytes))
		fill(&c.Phone, limited(phone.get("wa_id"), maxFieldBytes))
	}
	for email := range card.get("emails").elements() {
		fill(&c.Email, limited(email.get("email"), maxFieldBytes))
	}
	return c
}

// formOf reads what a form gave: a string that should be a JSON object with the
// form's token among its members, and need not be. The rest of it is kept. Some who
// pass webhooks on have read the string already.
func formOf(reply value) *parleyv1.FormResult {
	data, fault := reply.get("response_json"), ""
	if !data.isObject() {
		data, fault = parse([]byte(data.text()))
	}
	if fault != "" || !data.isObject() {
		return &parleyv1.FormResult{}
	}
	return &parleyv1.FormResult{
		Token: limited(data.get("flow_token"), maxIDBytes),
		Json:  data.appendWithout(nil, "flow_token"),
	}
}

// orderOf reads a cart. Prices may be fractions, whatever Meta's tables say (WIRE.md 1.6).
func orderOf(body value) *parleyv1.Order {
	order := &parleyv1.Order{CatalogId: limited(body.get("catalog_id"), maxFieldBytes)}
	for item := range body.get("product_items").elements() {
		if len(order.Items) == maxItems {
			break
		}
		price, _ := item.get("item_price").decimal()
		quantity, _ := item.get("quantity").decimal()
		order.Items = append(order.Items, &parleyv1.OrderItem{
			ProductId: limited(item.get("product_retailer_id"), maxFieldBytes), Quantity: uint32(min(max(math.Round(quantity), 0), math.MaxUint32)),
			Price: price, Currency: limited(item.get("currency"), maxTypeBytes),
		})
	}
	return order
}

// productOf is nil if the message is about none.
func productOf(product value) *parleyv1.Product {
	p := &parleyv1.Product{
		CatalogId: limited(product.get("catalog_id"), maxFieldBytes), ProductId: limited(product.get("product_retailer_id"), maxFieldBytes),
	}
	if proto.Size(p) == 0 {
		return nil
	}
	return p
}

// referralOf is nil if the person did not come from anywhere.
func referralOf(referral value) *parleyv1.Referral {
	r := &parleyv1.Referral{
		SourceId:   limited(referral.get("source_id"), maxFieldBytes),
		SourceType: limited(referral.get("source_type"), maxFieldBytes),
		SourceUrl:  limited(referral.get("source_url"), maxFieldBytes),
		Headline:   limited(referral.get("headline"), maxFieldBytes),
		CtwaClid:   limited(referral.get("ctwa_clid"), maxFieldBytes),
	}
	if proto.Size(r) == 0 {
		return nil
	}
	return r
}

// idOf is an id; empty if v cannot be one.
func idOf(v value) string {
	if id := v.text(); validID(id) {
		return id
	}
	return ""
}

// limited is a text of at most so many bytes; a longer one is left out: cut, it
// would say something else.
func limited(v value, bytes int) string {
	if s := v.text(); len(s) <= bytes {
		return s
	}
	return ""
}
