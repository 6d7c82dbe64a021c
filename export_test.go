package sessionspan

import (
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/internal/page"
)

// ForgetDefault makes the package as new: no default tracer was set, and nothing
// was said about that.
func ForgetDefault() {
	defaultTracer.Store(nil)
	sayNoDefault = sync.Once{}
}

// SetUsualPort makes a port, such as ":4318", one at which the local server is asked
// unasked, until the test ends.
func SetUsualPort(t testing.TB, port string) {
	before := page.UsualPorts
	page.UsualPorts = []string{port}
	t.Cleanup(func() { page.UsualPorts = before })
}
