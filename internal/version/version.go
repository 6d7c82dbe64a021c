// Package version holds the version of the library.
package version

// Version is sent as part of the user agent and as the version of the
// instrumentation scope.
const Version = "0.1.0"
