// Package detached has an empty line below its comment.

package detached // bad
