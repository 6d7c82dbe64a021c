// Package clienttest tests llmhttp with the clients that programs use, as they
// are, against servers of the tests. It is a module of its own, so that nobody
// else needs their dependencies.
//
// Each client asks the same questions and is given the same answers, in the words
// of the API that it speaks. What is recorded is compared with what stands once
// for each case; where an API or a client says things differently, that stands
// with it. The table of testdata/table.md is written from what was recorded:
//
//	go test -run TestClients -update
package clienttest
