package llmhttp

// Lists that stand beside an answer come once, in pieces, or again and again with
// more of them each time.

// grow adds a value to what is there of it: a list to a list, unless the new one
// starts with all of the old one. Any other value takes its place. What there is
// no room for is left out.
func (x *exchange) grow(old []byte, value string) []byte {
	start, rest := 0, value
	if n := len(old) - 1; n > 1 && old[0] == '[' && value[0] == '[' && value != "[]" {
		switch {
		case len(value) > n && value[:n] == string(old[:n]) && (value[n] == ',' || value[n] == ']'):
			start, rest = n, value[n:]
		default:
			start, rest = n, ","+value[1:]
		}
	}
	more := start + len(rest) - len(old)
	switch {
	case more > x.room:
		x.cut = true
		return old
	case more == 0 && string(old[start:]) == rest:
		return old
	}
	x.room -= more
	x.changes++
	return append(old[:start], rest...)
}
