package when

var english = words{
	base:          "en",
	weekdays:      [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	shortWeekdays: [7]string{"sun", "mon", "tue|tues", "wed|weds", "thu|thur|thurs", "fri", "sat"},
	months: [12]string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	},
	shortMonths: [12]string{"jan", "feb", "mar", "apr", "", "jun", "jul", "aug", "sep|sept", "oct", "nov", "dec"},
	relative:    [3]string{"today", "tomorrow|tmrw|tomorow|tommorow|tommorrow", "day after tomorrow"},
	numbers:     [12]string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"},
	a:           "a|an",
	first:       "first",
	plain: map[class]string{
		inClass: "in", agoneClass: "from now|from today", daysClass: "day|days", weeksClass: "week|weeks",
		thisClass: "this|this coming|the coming|coming", nextClass: "next", theClass: "the", ofClass: "of", ordinalClass: "st|nd|rd|th",
		oclockClass: "o clock|oclock", atClass: "at",
	},
	fillers: "on|the|for|please|pls|thanks|thank you",
	parts: map[dayPart]string{
		morning: "in the morning", afternoon: "in the afternoon", evening: "in the evening", night: "at night", am: "am|a m",
	},
	noon: "noon|midday", midnight: "midnight",
	past:           map[int]string{30: "half past", 15: "quarter past|a quarter past", -15: "quarter to|a quarter to"},
	monthBeforeDay: true,
}

var spanish = words{
	base:          "es",
	weekdays:      [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
	shortWeekdays: [7]string{"dom", "lun", "mar", "mié", "jue", "vie", "sáb"},
	months: [12]string{
		"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre|setiembre", "octubre", "noviembre", "diciembre",
	},
	shortMonths: [12]string{"ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep|sept|set", "oct", "nov", "dic"},
	relative:    [3]string{"hoy", "mañana", "pasado mañana"},
	numbers:     [12]string{"uno|una", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"},
	a:           "un",
	first:       "primero",
	plain: map[class]string{
		inClass: "en|dentro de|de aquí a", daysClass: "día|días", weeksClass: "semana|semanas",
		thisClass: "este", nextClass: "próximo|que viene", theClass: "el|el día|día", ofClass: "de|del", ordinalClass: "o|er|ro",
		oclockClass: "hora|horas|en punto", atClass: "a las|a la|las|la",
	},
	fillers: "el|para el|para|el día|día|del|por favor|porfa|gracias",
	parts: map[dayPart]string{
		morning: "de la mañana|por la mañana", dawn: "de la madrugada", midday: "del mediodía|de mediodía",
		afternoon: "de la tarde|por la tarde", night: "de la noche|por la noche", am: "am|a m",
	},
	noon: "mediodía|medio día|al mediodía|a mediodía", midnight: "medianoche|media noche|a medianoche|a la medianoche",
	and:             map[int]string{30: "y media", 15: "y cuarto", -15: "menos cuarto"},
	weeksSaidInDays: []int{8, 15},
}

var portuguese = words{
	base:           "pt",
	weekdays:       [7]string{"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"},
	shortWeekdays:  [7]string{"dom", "segunda|seg", "terça", "quarta|qua", "quinta|qui", "sexta|sex", "sáb"},
	besideWeekdays: [7]string{2: "ter"},
	months: [12]string{
		"janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
	},
	shortMonths: [12]string{"jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"},
	relative:    [3]string{"hoje", "amanhã", "depois de amanhã"},
	numbers: [12]string{
		"um|uma", "dois|duas", "três", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez", "onze", "doze",
	},
	first: "primeiro",
	plain: map[class]string{
		inClass: "em|dentro de|daqui a|daqui", daysClass: "dia|dias", weeksClass: "semana|semanas",
		thisClass: "este|esta|neste|nesta|esse|essa|nesse|nessa", nextClass: "próximo|próxima|que vem", theClass: "dia|o dia|no dia", ofClass: "de|do",
		ordinalClass: "o|a", oclockClass: "hora|horas|em ponto", atClass: "às|à|ao|as|a",
	},
	fillers: "o|a|para|para o|para a|pra|pro|dia|o dia|por favor|obrigado|obrigada", ownFillers: "no|na|no dia",
	parts: map[dayPart]string{
		morning: "da manhã|de manhã", dawn: "da madrugada|de madrugada", midday: "do meio-dia",
		afternoon: "da tarde|de tarde|à tarde", night: "da noite|de noite|à noite", am: "am|a m",
	},
	noon: "meio-dia", midnight: "meia-noite",
	and:             map[int]string{30: "e meia"},
	weeksSaidInDays: []int{8, 15},
}

var french = words{
	base:          "fr",
	weekdays:      [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
	shortWeekdays: [7]string{"dim", "lun", "mar", "mer", "jeu", "ven", "sam"},
	months: [12]string{
		"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
	},
	shortMonths: [12]string{"janv|jan", "févr|fév", "", "avr", "", "", "juil", "", "sept|sep", "oct", "nov", "déc"},
	relative:    [3]string{"aujourd'hui|aujourdhui", "demain", "après-demain|après demain"},
	numbers:     [12]string{"un|une", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"},
	first:       "premier",
	plain: map[class]string{
		inClass: "dans", daysClass: "jour|jours", weeksClass: "semaine|semaines",
		thisClass: "ce", nextClass: "prochain", theClass: "le", ofClass: "de", ordinalClass: "er|e|eme",
		oclockClass: "heure|heures", atClass: "à",
	},
	fillers: "le|pour le|pour|s'il vous plaît|s'il te plaît|svp|stp|merci",
	parts: map[dayPart]string{
		morning: "du matin", midday: "de midi", afternoon: "de l'après-midi|l'après-midi", evening: "du soir", am: "am|a m",
	},
	noon: "midi", midnight: "minuit",
	and:             map[int]string{30: "et demie|et demi", 15: "et quart", -15: "moins le quart"},
	weeksSaidInDays: []int{8, 15},
}

var german = words{
	base:           "de",
	weekdays:       [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag|Sonnabend"},
	shortWeekdays:  [7]string{"", "mo", "di", "mi", "do", "fr", "sa"},
	besideWeekdays: [7]string{0: "so"},
	months: [12]string{
		"Januar|Jänner|Jaenner", "Februar|Feber", "März|Maerz", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
		"Dezember",
	},
	shortMonths: [12]string{"jan|jän", "feb", "mrz|mär", "apr", "", "jun", "jul", "aug", "sep|sept", "okt", "nov", "dez"},
	relative:    [3]string{"heute", "morgen", "übermorgen|uebermorgen"},
	numbers: [12]string{
		"ein|eins", "zwei", "drei", "vier", "fünf|fuenf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf|zwoelf",
	},
	a:     "eine|einer|einem",
	first: "erster|ersten|erste",
	plain: map[class]string{
		inClass: "in", daysClass: "Tag|Tage|Tagen", weeksClass: "Woche|Wochen",
		thisClass: "dieser|diesen|diesem|kommender|kommenden|kommendem", nextClass: "nächster|nächsten|nächstem|naechster|naechsten|naechstem",
		theClass: "der|den|dem", ofClass: "", ordinalClass: "te|ten|ter", hClass: "Uhr", atClass: "um", halfToClass: "halb",
	},
	fillers: "am|der|den|für|für den|fuer|fuer den|bitte|danke",
	parts: map[dayPart]string{ // no "am": "8 Uhr am Freitag"
		morning: "morgens|vormittags|am Morgen|am Vormittag", midday: "mittags|am Mittag", afternoon: "nachmittags|am Nachmittag",
		evening: "abends|am Abend", lateNight: "nachts|in der Nacht",
	},
	noon: "Mittag|am Mittag", midnight: "Mitternacht|um Mitternacht",
	past:            map[int]string{15: "Viertel nach", -15: "Viertel vor"},
	weeksSaidInDays: []int{8},
}
