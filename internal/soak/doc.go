// Package soak holds the system tests of delivery: whole tracers against servers
// that fail, programs that are killed, and more data than there is room for.
//
// The tests that run with the others are short. Those with the build tag soak
// take minutes and print figures: see "make soak".
package soak
