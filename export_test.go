package sessionspan

import (
	"sync"
	"testing"
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
	before := usualPorts
	usualPorts = []string{port}
	t.Cleanup(func() { usualPorts = before })
}
