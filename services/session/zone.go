package session

import (
	"time"

	"github.com/nyaruka/phonenumbers"
)

// zones are the time zones that were looked up so far, by name; nil if there is no
// such zone.
type zones map[string]*time.Location

// offset is how many minutes the clock of a phone's country is ahead of UTC at a
// time; nil if the country has several such clocks, or is not known.
func (z zones) offset(phone string, at time.Time) *int32 {
	if phone == "" {
		return nil
	}
	names, err := phonenumbers.GetTimezonesForPrefix(phone)
	if err != nil || len(names) == 0 {
		return nil // no number of any country
	}
	var minutes int32
	for i, name := range names {
		zone := z.named(name)
		if zone == nil {
			return nil
		}
		_, seconds := at.In(zone).Zone()
		if i > 0 && int32(seconds/60) != minutes {
			return nil
		}
		minutes = int32(seconds / 60)
	}
	return &minutes
}

func (z zones) named(name string) *time.Location {
	zone, known := z[name]
	if !known {
		zone, _ = time.LoadLocation(name) // "Etc/Unknown" is none
		z[name] = zone
	}
	return zone
}
