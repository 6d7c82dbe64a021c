package command

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/access"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/datafile"
)

const tokenUsage = `usage: sessionspan token create -name name -role roles [flags]
       sessionspan token list [-data file]
       sessionspan token revoke [-data file] id

create prints a token once: only its hash is kept, beside the file of the sessions. As
soon as there is one, the server asks every request for a token. revoke takes effect with
the next request.

`

// Bounds that a token has where none are given.
const (
	tokenRate = 1000
	tokenBody = 32 << 20
)

// token creates, lists or revokes tokens.
func token(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		_, _ = io.WriteString(stderr, tokenUsage)
		return errors.New("token: say create, list or revoke")
	}
	action, rest := args[0], args[1:]
	flags := newFlags("token "+action, tokenUsage, stderr)
	data := flags.String("data", "", dataUsage)
	var do func(file string) error
	switch action {
	case "create":
		do = createToken(flags, stdout, stderr)
	case "list":
		do = func(file string) error { return listTokens(file, stdout) }
	case "revoke":
		do = func(file string) error {
			if flags.NArg() != 1 {
				return errors.New("revoke token: give the id of one, which list prints")
			}
			return access.Revoke(file, flags.Arg(0))
		}
	default:
		return fmt.Errorf("token: there is no %q: say create, list or revoke", action)
	}
	if err := flags.Parse(rest); err != nil {
		return err
	}
	file, err := datafile.Name(*data)
	if err != nil {
		return err
	}
	return do(datafile.Beside(file, access.TokensSuffix))
}

// createToken adds the flags of a token, and returns what makes one of them.
func createToken(flags *flag.FlagSet, stdout, stderr io.Writer) func(file string) error {
	t := access.Token{Rate: tokenRate, MaxBody: tokenBody}
	flags.StringVar(&t.Name, "name", "", "`name` of whoever uses the token, as it stands in lists and in the audit log")
	flags.Func("role", "`roles` with commas between them: read (the page and what the API answers), write (records and feedback), admin (all that, deletion and erasure)", func(s string) (err error) {
		t.Roles, err = caller.ParseRoles(s)
		return err
	})
	flags.StringVar(&t.Project, "project", "", "`name` of the one project that the token sees and writes (default: all)")
	var age time.Duration
	flags.Func("expires", "`age` at which the token ends, such as 90d or 12h (default: never)", func(s string) (err error) {
		age, err = parseAge(s)
		return err
	})
	flags.Float64Var(&t.Rate, "rate", tokenRate, "`number` of requests in a second, twice as many at once; 0 does not bound them")
	flags.Func("max-body", "`size` of a request after decompression (default: 32MiB, which no token can exceed)", func(s string) (err error) {
		t.MaxBody, err = parseSize(s)
		return err
	})
	return func(file string) error {
		switch {
		case flags.NArg() > 0:
			return fmt.Errorf("create token: there is no place for %q", flags.Arg(0))
		case t.Name == "":
			return errors.New("create token: give a -name, by which it is known in the audit log")
		case t.Roles == 0:
			return errors.New("create token: give a -role: read, write or admin")
		case !(t.Rate >= 0):
			return errors.New("create token: -rate is no number of requests")
		}
		if age > 0 {
			t.Expires = time.Now().Add(age).UTC().Truncate(time.Second)
		}
		secret, made, err := access.Create(file, t)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stderr, "token %s of %q may %s%s; it is shown this once:\n", made.ID, made.Name, made.Roles, inProject(&made))
		_, err = fmt.Fprintln(stdout, secret)
		return err
	}
}

func inProject(t *access.Token) string {
	if t.Project == "" {
		return " in all projects"
	}
	return fmt.Sprintf(" in the project %q", t.Project)
}

func listTokens(file string, stdout io.Writer) error {
	list, err := access.List(file)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "ID\tNAME\tROLES\tPROJECT\tCREATED\tEXPIRES\tRATE\tMAX BODY")
	for i := range list {
		t := &list[i]
		expires := "never"
		if !t.Expires.IsZero() {
			expires = t.Expires.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(out, "%s\t%q\t%s\t%s\t%s\t%s\t%g\t%d\n", t.ID, t.Name, t.Roles, cmp.Or(t.Project, "all"), t.Created.Format(time.RFC3339), expires, t.Rate, t.MaxBody)
	}
	return out.Flush()
}
