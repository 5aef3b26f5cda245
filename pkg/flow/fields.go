package flow

// Fields lists what a definition can consist of, part by part: the fields of each
// kind of mapping, and under "expect.FIELD" the types of answers that have the
// field. The JSON Schema is tested against it.
func Fields() map[string][]string {
	all := map[string][]string{
		"flow": flowFields, "completed": completedFields, "slot": slotFields, "entry": entryFields, "keyword": keywordFields,
		"step": stepFields, "loop": loopFields, "branch": branchFields, "split": splitFields, "variant": variantFields, "run": runFields,
		"message": bubbleFields, "media": mediaFields, "file": fileFields, "link": linkFields, "location": locationFields, "contact": contactFields,
		"template": templateFields, "parameter": parameterFields, "template_button": templateButtons,
		"expect": expectFields, "check": checkFields, "table": tableFields, "option": optionFields, "options": dynamicFields,
		"empty": emptyFields, "form": formFields, "expire": expireFields, "quiet_hours": quietHoursFields, "hand_back": handBackFields, "remind": remindFields,
		"timeout": timeoutFields, "received": receivedFields, "reply": replyFields, "rows": rowsFields,
		"texts": ownKeys, "invalid": invalidRules, "answer": answerNames(), "kinds": mediaKinds,
	}
	for verb, fields := range actionFields {
		all[verb] = fields
	}
	all["way"], all["free"], all["call"] = wayFields, freeFields, callFields
	for field, kinds := range kindFields {
		for _, kind := range kinds {
			all["expect."+field] = append(all["expect."+field], kind.String())
		}
	}
	return all
}
