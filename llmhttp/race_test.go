//go:build race

package llmhttp_test

// raceEnabled says that budgets of allocations do not hold.
const raceEnabled = true
