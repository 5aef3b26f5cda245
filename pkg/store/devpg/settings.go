package devpg

import (
	"maps"
	"slices"
)

// settings returns PostgreSQL's configuration as arguments: the defaults, with more on top.
func settings(socket string, more map[string]string) []string {
	all := map[string]string{
		"listen_addresses":        "", // no network
		"unix_socket_directories": socket,
		"unix_socket_permissions": "0700",
		"port":                    "5432",

		// A commit that returned is on disk.
		"fsync":              "on",
		"full_page_writes":   "on",
		"synchronous_commit": "on",

		"max_connections":    "100",
		"shared_buffers":     "256MB",
		"max_wal_size":       "2GB",
		"checkpoint_timeout": "15min",
		"wal_compression":    "on",
		"jit":                "off", // it costs more than our short statements take
		"timezone":           "UTC",

		// The log goes to stderr. Terse: details ("Key (phone)=(…) already exists") would put personal data into it.
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] ",
		"log_error_verbosity":     "terse",
		"log_min_error_statement": "panic",
	}
	maps.Copy(all, more)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args
}
