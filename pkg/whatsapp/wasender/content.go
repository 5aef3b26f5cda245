package wasender

import (
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// maxTapBytes bounds the id of what was tapped.
	maxTapBytes = 4 * 256
	// maxFieldBytes bounds every text that is about a message instead of being the
	// message: names, addresses, links.
	maxFieldBytes = 4096
	// manyTimes is how often a message is passed on before Meta calls it forwarded frequently.
	manyTimes = 5
)

// contents are the readers of what a person can say, by their member of a message.
// Source: WhatsApp Web's message schema.
var contents = map[string]func(*decoding, value) (ok bool, err error){
	"conversation":               (*decoding).conversation,
	"extendedTextMessage":        (*decoding).extendedText,
	"imageMessage":               file("image"),
	"videoMessage":               file("video"),
	"ptvMessage":                 file("video"),
	"audioMessage":               file("audio"),
	"documentMessage":            file("document"),
	"stickerMessage":             file("sticker"),
	"locationMessage":            (*decoding).place,
	"liveLocationMessage":        (*decoding).place,
	"contactMessage":             (*decoding).card,
	"contactsArrayMessage":       (*decoding).cards,
	"buttonsResponseMessage":     reply("interactive", "selectedButtonId", "selectedDisplayText"),
	"templateButtonReplyMessage": reply("button", "selectedId", "selectedDisplayText"),
	"listResponseMessage":        (*decoding).row,
	"interactiveResponseMessage": (*decoding).interactive,
	"orderMessage":               (*decoding).order,
}

func (d *decoding) conversation(v value) (bool, error) { return d.text(v) }

func (d *decoding) extendedText(v value) (bool, error) {
	f := v.fields()
	d.context(f.get("contextInfo"))
	return d.text(f.get("text"))
}

func (d *decoding) text(v value) (bool, error) {
	d.msg.Type, d.msg.Text = "text", v.text()
	fill(&d.msg.Text, d.body)
	if d.msg.Text == "" {
		return false, errNoText
	}
	return true, nil
}

// context reads what a message answers to, and the advertisement it came from.
// WhatsApp Web has the same member for a preview of a link, without a source.
func (d *decoding) context(v value) {
	f := v.fields()
	if id := f.get("stanzaId").text(); validID(id) {
		d.msg.ReplyTo = id
	}
	times := f.get("forwardingScore").integer()
	d.msg.FrequentlyForwarded = times > manyTimes
	d.msg.Forwarded = !d.msg.FrequentlyForwarded && (times > 0 || f.get("isForwarded").isTrue())
	ad := f.get("externalAdReply").fields()
	r := &parleyv1.Referral{
		SourceId:   ad.get("sourceId").limited(maxFieldBytes),
		SourceType: ad.get("sourceType").limited(maxFieldBytes),
		CtwaClid:   ad.get("ctwaClid").limited(maxFieldBytes),
	}
	if proto.Size(r) > 0 {
		r.SourceUrl, r.Headline = ad.get("sourceUrl").limited(maxFieldBytes), ad.get("title").limited(maxFieldBytes)
		d.msg.Referral = r
	}
}

// file reads a file. Its id is the message's: WASenderApi decrypts a file out of the
// message that brought it (Client.DecryptMedia), and has no ids of files.
func file(kind string) func(*decoding, value) (bool, error) {
	return func(d *decoding, v value) (bool, error) {
		f := v.fields()
		d.context(f.get("contextInfo"))
		d.msg.Type, d.msg.Text = kind, f.get("caption").text()
		if kind == "image" || kind == "video" || kind == "document" {
			fill(&d.msg.Text, d.body)
		}
		media := &parleyv1.IncomingMedia{
			Kind:      kind,
			MimeType:  f.get("mimetype").limited(maxFieldBytes),
			Sha256:    f.get("fileSha256").limited(maxFieldBytes),
			Filename:  f.get("fileName").limited(maxFieldBytes),
			SizeBytes: f.get("fileLength").integer(),
		}
		if validID(d.id) {
			media.Id = d.id
		}
		d.msg.Content = &parleyv1.IncomingMessage_Media{Media: media}
		return true, nil
	}
}

// place needs both coordinates, as numbers, and on the globe; without them it is a
// message without content, which somebody waits for an answer to.
func (d *decoding) place(v value) (bool, error) {
	d.msg.Type = "location"
	f := v.fields()
	d.context(f.get("contextInfo"))
	latitude, north := f.get("degreesLatitude").decimal()
	longitude, east := f.get("degreesLongitude").decimal()
	if !north || !east || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return true, nil
	}
	d.msg.Content = &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{
		Latitude: latitude, Longitude: longitude,
		Name: f.get("name").limited(maxFieldBytes), Address: f.get("address").limited(maxFieldBytes),
	}}
	return true, nil
}

func (d *decoding) card(v value) (bool, error) {
	f := v.fields()
	d.context(f.get("contextInfo"))
	d.msg.Type = "contacts"
	card := parseVCard(f.get("vcard").limited(maxVCardBytes))
	fill(&card.Name, f.get("displayName").limited(maxFieldBytes))
	if proto.Size(card) > 0 {
		d.msg.Content = &parleyv1.IncomingMessage_Contact{Contact: card}
	}
	return true, nil
}

// cards are several; the first is taken, as of Meta's.
func (d *decoding) cards(v value) (bool, error) {
	f := v.fields()
	if first := f.get("contacts").first(); !first.isNone() {
		_, _ = d.card(first) // a card is never wrong
	}
	d.context(f.get("contextInfo"))
	d.msg.Type = "contacts"
	return true, nil
}

// reply reads a tap on a button: the members that are its id and its title.
func reply(typ, id, title string) func(*decoding, value) (bool, error) {
	return func(d *decoding, v value) (bool, error) {
		f := v.fields()
		d.context(f.get("contextInfo"))
		return d.tap(typ, f.get(id), f.get(title))
	}
}

func (d *decoding) tap(typ string, id, title value) (bool, error) {
	d.msg.Type, d.msg.Text, d.msg.Tap = typ, title.text(), id.limited(maxTapBytes)
	fill(&d.msg.Text, d.body)
	return true, nil
}

func (d *decoding) row(v value) (bool, error) {
	f := v.fields()
	d.context(f.get("contextInfo"))
	return d.tap("interactive", f.get("singleSelectReply").get("selectedRowId"), f.get("title"))
}

// interactive reads a tap on one of WhatsApp's newer buttons: its id is in JSON
// within a string.
func (d *decoding) interactive(v value) (bool, error) {
	f := v.fields()
	d.context(f.get("contextInfo"))
	params, fault := parse([]byte(f.get("nativeFlowResponseMessage").get("paramsJson").text()))
	if fault != "" {
		params = value{}
	}
	title := f.get("body").get("text")
	for _, name := range []string{"title", "display_text"} {
		if title.text() == "" {
			title = params.get(name)
		}
	}
	return d.tap("interactive", params.get("id"), title)
}

func (d *decoding) order(v value) (bool, error) {
	d.context(v.get("contextInfo"))
	d.msg.Type, d.msg.Text = "order", v.get("message").text()
	return true, nil
}
