//go:build !race

package sessionspan_test

// tailSessions is how many sessions the test of tail sampling records.
const tailSessions = 10_000
