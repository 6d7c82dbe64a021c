package secret

import "strings"

// folding returns how many bytes at the start of a text break a word for who reads it:
// white space and the colours of terminals, and, if marks are to count, those that
// continue a line and those of quotes and comments that a line begins with.
func folding(text string, marks bool) int {
	n := 0
	switch text[0] {
	case 0x1b:
		return colour(text)
	case '\\', '=', '`': // of C and shells, of mail, of PowerShell
		if n = 1; !marks || !strings.HasPrefix(text[n:], "\n") && !strings.HasPrefix(text[n:], "\r\n") {
			return 0
		}
	}
	lines := 0
	for ; n < len(text) && space(text[n]) && text[n] != 0x1b; n++ {
		if text[n] == '\n' {
			lines++
		}
	}
	if lines == 0 || !marks {
		return n
	}
	for _, quote := range []string{"> ", "| ", "# ", "// ", "* ", "; "} {
		if strings.HasPrefix(text[n:], quote) {
			return n + len(quote)
		}
	}
	return n
}

// colour returns the length of a sequence that a terminal takes for a colour.
func colour(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 1
	}
	n := len("\x1b[")
	for n < len(text) && (text[n] == ';' || '0' <= text[n] && text[n] <= '9') {
		n++
	}
	return min(n+1, len(text))
}
