package when

// timeOfDay is a clock, and whether the day that it belongs to is a question:
// midnight.
type timeOfDay struct {
	Clock
	adrift bool
}

const (
	minutesPerDay = 24 * 60
	noonMinutes   = 12 * 60
)

// clockShapes are the ways to say a time of day.
var clockShapes = []shape[timeOfDay]{
	newShape("at? hour : minute h?", (*sentence).exactClock),
	newShape("at? hour : minute part", (*sentence).partClock),
	newShape("at? hour . minute", (*sentence).dottedClock),
	newShape("at? hour . minute h", (*sentence).exactClock),
	newShape("at? hour . minute part", (*sentence).partClock),
	newShape("at? hour h", (*sentence).exactClock),
	newShape("at? hour h minute", (*sentence).exactClock),
	newShape("at? hour h part", (*sentence).partClock),
	newShape("at? hour h minute part", (*sentence).partClock),
	newShape("at? hour : minute h part", (*sentence).partClock),
	newShape("at hour", (*sentence).bareClock),
	newShape("at? hour oclock", (*sentence).bareClock),
	newShape("at? hour part", (*sentence).partClock),
	newShape("at? hour oclock part", (*sentence).partClock),
	newShape("at? namedtime", (*sentence).namedClock),
	newShape("at? past hour", (*sentence).bareClock),
	newShape("at? past hour part", (*sentence).partClock),
	newShape("at? hour h? and", (*sentence).bareClock),
	newShape("at? hour h? and part", (*sentence).partClock),
	newShape("at? hour oclock and", (*sentence).bareClock),
	newShape("at? hour oclock and part", (*sentence).partClock),
	newShape("at? halfto hour", (*sentence).halfTo),
	newShape("at? halfto hour part", (*sentence).partClock),
}

// clock reads a time of day from all tokens in the range.
func (s *sentence) clock(from, end int) (timeOfDay, error) { return readAll(s, from, end, clockShapes) }

// minutes is what was caught beside the hour: "15:30", "quarter to", "y media".
func (c *caught) minutes() int {
	minutes := c.value[minuteClass] + c.value[pastClass] + c.value[andClass]
	if c.has[halfToClass] {
		minutes -= 30
	}
	return minutes
}

// clockAt is the hour with the minutes that were caught.
func clockAt(hour int, c *caught) (timeOfDay, error) {
	if hour > 23 || c.value[minuteClass] > 59 {
		return timeOfDay{}, ErrImpossible
	}
	minutes := hour*60 + c.minutes()
	before := minutes < 0 // a quarter to midnight is on the day before
	if before {
		minutes += minutesPerDay
	}
	return timeOfDay{Clock: Clock{Hour: minutes / 60, Minute: minutes % 60}, adrift: before}, nil
}

// exactClock reads the 24-hour clock.
func (s *sentence) exactClock(c *caught) (timeOfDay, error) { return clockAt(c.value[hourClass], c) }

// dottedClock reads "15.30", but not "9.12": that can be a date.
func (s *sentence) dottedClock(c *caught) (timeOfDay, error) {
	t, err := clockAt(c.value[hourClass], c)
	if err == nil && t.Hour >= 1 && t.Minute >= 1 && t.Minute <= 12 {
		return timeOfDay{}, ErrAmbiguous
	}
	return t, err
}

// bareClock reads an hour that is ambiguous if a clock's face has it.
func (s *sentence) bareClock(c *caught) (timeOfDay, error) {
	if hour := c.value[hourClass]; hour >= 1 && hour <= 12 {
		return timeOfDay{}, ErrAmbiguous
	}
	return clockAt(c.value[hourClass], c)
}

// halfTo reads "halb 9", 8:30. Before 6:30 nobody says which half of the day.
func (s *sentence) halfTo(c *caught) (timeOfDay, error) {
	switch hour := c.value[hourClass]; {
	case hour < 1 || hour > 12:
		return timeOfDay{}, ErrImpossible
	case hour <= 6:
		return timeOfDay{}, ErrAmbiguous
	}
	return clockAt(c.value[hourClass], c)
}

// namedClock reads "noon" and "midnight".
func (s *sentence) namedClock(c *caught) (timeOfDay, error) {
	minutes := c.value[namedTimeClass]
	return timeOfDay{Clock: Clock{Hour: minutes / 60}, adrift: minutes == 0}, nil
}

// dayPart says which half of the day an hour belongs to.
type dayPart int

const (
	am dayPart = iota
	pm
	morning
	dawn // madrugada
	midday
	afternoon // tarde: up to 8
	evening
	night     // noche: begins at 6
	lateNight // nachts: people also say it of 3
	noonPart
	midnightPart
	dayParts
)

// Hours that a part of the day does not tell.
const (
	either = -1 // people mean different hours
	none   = -2 // nobody says so
)

// partHours has for each part the hours of the 24-hour clock that are meant by 1 to 12.
var partHours = [dayParts][12]int{
	am:           {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0},
	pm:           {13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 12},
	morning:      {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, either},
	dawn:         {1, 2, 3, 4, 5, 6, none, none, none, none, none, 0},
	midday:       {13, 14, none, none, none, none, none, none, none, none, 11, 12},
	afternoon:    {13, 14, 15, 16, 17, 18, 19, 20, none, none, none, 12},
	evening:      {none, none, none, 16, 17, 18, 19, 20, 21, 22, 23, either},
	night:        {either, either, either, either, either, 18, 19, 20, 21, 22, 23, 0},
	lateNight:    {1, 2, 3, 4, 5, none, none, none, none, 22, 23, 0},
	noonPart:     {none, none, none, none, none, none, none, none, none, none, none, 12},
	midnightPart: {none, none, none, none, none, none, none, none, none, none, none, 0},
}

// partClock reads an hour with its part of the day. An hour of the 24-hour clock
// must lie in it.
func (s *sentence) partClock(c *caught) (timeOfDay, error) {
	part, hour := dayPart(c.value[partClass]), c.value[hourClass]
	if hour >= 1 && hour <= 12 {
		hour = partHours[part][hour-1]
	} else if !part.has(hour) {
		hour = none
	}
	switch hour {
	case either:
		return timeOfDay{}, ErrAmbiguous
	case none:
		return timeOfDay{}, ErrImpossible
	}
	t, err := clockAt(hour, c)
	t.adrift = t.adrift || hour == 0 || part == lateNight
	return t, err
}

func (p dayPart) has(hour int) bool {
	for _, h := range partHours[p] {
		if h == hour {
			return true
		}
	}
	return false
}
