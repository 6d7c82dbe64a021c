package redact

// HostileParts are texts that keep a detector busy when they are repeated.
var HostileParts = []string{
	"a@", "@", "a.", "1-", "1 ", "1.1.", "::", "a:", "1:", "=", "password=", "a.password=", "key=", `"password":"`, `"password":`, "ssn:{", "ssn=[", "sk-", "sk_", "eyJ", "eyJ-", "eyJ.",
	"-----BEGIN ", "-----BEGIN PUBLIC KEY", "+1", "+", "a+", "(2", "DE89 ", "Bearer ", "basic:", "://", "://a:", "%41", "%25", "\\", "\\u0041", "&amp;", "é", "\u200b", "AAAA",
	"QUFB/", "QUFB-", "YWFhYWFhYWFhYWFh ", "{", "[", `"`, `\"`, "xoxb-1", "AKIA", "1:AA", "a1Q~", "０",
	"a=a", "key=aB", "token=AbcdefGhijklmnop.", "sk-A1-", "pa-a1", "AKIA1", "key=\u00e9key=", "a=+", "+%", "secret:", "Key='", "token=Bearer ", "://@", "12:", "f::", "1.1:", "ssn=", "-1", "0 0",
}

// Looks returns how many letters are looked at, for the detectors that look furthest, beside
// those that are scanned.
func (p *Policy) Looks(text string) (n int) {
	p.walk(func(w *walker) {
		w.push("x")
		w.leaf(text)
		n = w.looks
	})
	return n
}
