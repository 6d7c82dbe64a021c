//go:build race

package soak

// raceEnabled says that everything takes several times as long.
const raceEnabled = true
