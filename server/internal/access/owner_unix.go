//go:build unix

package access

// onlyOwner is set where the mode of a file says who can read it.
const onlyOwner = true
