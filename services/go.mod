module github.com/parleyhq/parley/services

go 1.26.0

require (
	github.com/parleyhq/parley/pkg v0.0.0
	github.com/parleyhq/parley/proto v0.0.0
)

require (
	github.com/alecthomas/kong v1.17.0 // indirect
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/chromedp/chromedp v0.23.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
)

replace (
	github.com/parleyhq/parley/pkg => ../pkg
	github.com/parleyhq/parley/proto => ../proto
)
