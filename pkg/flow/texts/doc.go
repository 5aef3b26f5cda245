// Package texts takes the texts of a flow to translators and back: as a gettext PO
// file, which their tools know, or as CSV, which their offices know.
//
// [Of] lists the texts, [PO] and [CSV] write them, [ReadPO] and [ReadCSV] read what
// came back, and [Merge] puts it into the flow file, which stays as its author wrote
// it but for the texts: comments, order, quotes.
//
// Nothing that came back is believed: a translation must be one of a text that still
// says the same, use the same slots, fit WhatsApp's limits, and compile.
//
// The package is pure: it reads and writes bytes, no files.
package texts
