package page

import (
	"net/http"
	"time"
)

// New returns a handler of the page alone.
func New(c Config) http.Handler { return newPage(c, sumsWait) }

func newPage(c Config, sumsWait time.Duration) http.Handler {
	mux := http.NewServeMux()
	register(mux, c, sumsWait)
	return mux
}
