// Package hours reads weekly hours, and makes the slots of a service of them: which
// times of which days can be booked. It is pure: the same rules give the same slots,
// under the same ids, whoever asks and how often.
//
//	service: haircut
//	zone: Europe/Madrid
//	length: 30m
//	capacity: 4              # places a slot, 1 unless said
//	horizon: 60              # days ahead
//	hours:
//	  monday: 16:00-20:00
//	  tuesday-friday: 09:30-14:00, 16:00-20:00
//	except:
//	  2026-12-25: closed
//	  2026-12-24: 09:30-13:30
//	calendars:
//	  Ana: {}
//	  Leo: {capacity: 2, hours: {saturday: 10:00-14:00}}
package hours
