//go:build race

package sessionspan_test

// tailSessions is how many sessions the test of tail sampling records; the race detector
// makes each of them take ten times as long.
const tailSessions = 2000
