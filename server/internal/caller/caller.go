// Package caller says who sent a request, and what they may do. What works on a request
// finds its caller in the context.
package caller

import (
	"context"
	"fmt"
	"strings"
)

// Roles is a set of what a caller may do.
type Roles uint8

// The roles. Admin includes the others: see [Roles.May].
const (
	Read  Roles = 1 << iota // the page, and what the API answers
	Write                   // records, updates, feedback
	Admin                   // deletion, erasure, and what only administrators see
)

// All is every role.
const All = Read | Write | Admin

var roleNames = [...]struct {
	role Roles
	name string
}{{Read, "read"}, {Write, "write"}, {Admin, "admin"}}

// May reports whether the roles include others, all of them.
func (r Roles) May(what Roles) bool {
	if r&Admin != 0 {
		r = All
	}
	return r&what == what
}

// String returns the names of the roles, with commas between them, as [ParseRoles] reads
// them.
func (r Roles) String() string {
	var list []string
	for _, n := range roleNames {
		if r&n.role != 0 {
			list = append(list, n.name)
		}
	}
	return strings.Join(list, ",")
}

// ParseRoles reads names of roles with commas between them. No name is an error.
func ParseRoles(text string) (Roles, error) {
	var r Roles
	for name := range strings.SplitSeq(text, ",") {
		found := false
		for _, n := range roleNames {
			if strings.TrimSpace(name) == n.name {
				r, found = r|n.role, true
			}
		}
		if !found {
			return 0, fmt.Errorf("role %.32q is none of read, write and admin", name)
		}
	}
	return r, nil
}

// MarshalText writes the names.
func (r Roles) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads names as [ParseRoles] does.
func (r *Roles) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRoles(string(text))
	return err
}

// Caller is who sent a request. The zero value is nobody, who may do nothing.
type Caller struct {
	// ID names a token, Name is what its maker called it. Both are for records: nothing
	// is decided by them.
	ID, Name string
	Roles    Roles
	// Project is the only one that is seen and written; any where it is empty.
	Project string
	// MaxBody bounds the bodies of requests, in bytes; 0 leaves it to the server.
	MaxBody int64
	// Cookie is set where the request was signed by a cookie of the sign-in page.
	Cookie bool
}

// Local is who calls a server that asks for no token: whoever can reach it.
func Local() Caller { return Caller{ID: "local", Name: "local", Roles: All} }

type key struct{}

// With returns a context of a request of a caller.
func With(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the caller of a context: nobody where there is none.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(key{}).(Caller)
	return c
}
