//go:build !race

package llmhttp_test

const raceEnabled = false
