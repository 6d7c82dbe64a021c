package sessionspan

import "sync"

// ForgetDefault makes the package as new: no default tracer was set, and nothing
// was said about that.
func ForgetDefault() {
	defaultTracer.Store(nil)
	sayNoDefault = sync.Once{}
}
