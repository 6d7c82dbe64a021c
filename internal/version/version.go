// Package version says which version of the library a program was built with.
package version

import (
	"runtime/debug"
	"strings"
	"sync"
)

// module is the path of the module that this package is part of.
const module = "github.com/sessionspan/sessionspan"

// unknown is the version in a clone, in tests, and where a program was built
// without the information of its modules.
const unknown = "0.0.0-dev"

// Version is sent as part of the user agent and as the version of the
// instrumentation scope, without the "v" of its tag. It comes from the information
// that the Go command puts into a program, so that a release cannot forget it. Where
// a replacement took the place of the module, the version is that of the replacement.
var Version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return of(info)
})

func of(info *debug.BuildInfo) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != module {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		// "(devel)" is what the Go command calls a module of no version.
		if v, ok := strings.CutPrefix(m.Version, "v"); ok {
			return v
		}
	}
	return unknown
}
