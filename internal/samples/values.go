// Package samples makes values that are to be redacted, by chance and by the documents
// of each format alone, ways in which such a value stands in a text, and tells whether a
// text, or what anybody may decode of it, still holds one. It is for tests, and shares
// nothing with the detectors of package redact.
package samples

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rand returns a source of chance that is the same for the same seed.
func Rand(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // samples are no secrets
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	alnum  = lower + upper + digits
	hexa   = "0123456789abcdef"
)

func letters(r *rand.Rand, set string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = set[r.IntN(len(set))]
	}
	return string(b)
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// luhn adds the check digit.
func luhn(number string) string {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return number + strconv.Itoa((10-sum%10)%10)
}

func groups(text, separator string, sizes ...int) string {
	var parts []string
	for _, n := range sizes {
		if n = min(n, len(text)); n > 0 {
			parts, text = append(parts, text[:n]), text[n:]
		}
	}
	if text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, separator)
}

func card(r *rand.Rand) string {
	type network struct {
		prefix string
		size   int
	}
	n := []network{
		{"4", 16}, {"4", 13}, {strconv.Itoa(51 + r.IntN(5)), 16}, {strconv.Itoa(2221 + r.IntN(500)), 16}, {"34", 15}, {"37", 15}, {"6011", 16},
		{"65", 16}, {"36", 14}, {strconv.Itoa(3528 + r.IntN(62)), 16}, {"62", 16}, {"62", 19},
	}[r.IntN(12)]
	number := luhn(n.prefix + letters(r, digits, n.size-len(n.prefix)-1))
	separator := pick(r, "", "", " ", "-")
	if n.size == 15 {
		return groups(number, separator, 4, 6, 5)
	}
	return groups(number, separator, 4, 4, 4, 4)
}

func email(r *rand.Rand) string {
	local := letters(r, lower, 1+r.IntN(8)) + pick(r, "", ".", "_", "-", "+") + letters(r, alnum, 1+r.IntN(8))
	return local + "@" + letters(r, lower, 1+r.IntN(9)) + pick(r, "", "-mail", ".co", ".mail") + "." + pick(r, "com", "org", "de", "co.uk", "io", "technology", "xn--p1ai")
}

func phone(r *rand.Rand) string {
	area := letters(r, "23456789", 1) + letters(r, "023456789", 2)
	exchange, line := letters(r, "23456789", 1)+letters(r, digits, 2), letters(r, digits, 4)
	n := letters(r, "123456789", 1) + letters(r, digits, 7)
	switch r.IntN(12) {
	case 0:
		return "+1" + area + exchange + line
	case 1:
		return "+1 " + area + "-" + exchange + "-" + line
	case 2:
		return "(" + area + ") " + exchange + "-" + line
	case 3:
		return area + pick(r, "-", ".") + exchange + "-" + line
	case 4:
		return "+49 " + letters(r, "123456789", 2) + " " + n
	case 5:
		return "+44 (0)20 " + n[:4] + " " + n[4:]
	case 6:
		return "+33 " + n[:1] + " " + n[:2] + " " + n[2:4] + " " + n[4:6] + " " + n[6:]
	case 7:
		return "0" + n[:1] + " " + n[:2] + " " + n[2:4] + " " + n[4:6] + " " + n[6:]
	case 8:
		return "020 " + n[:4] + " " + n[4:]
	case 9:
		return "0" + letters(r, "123456789", 3) + pick(r, "/", "-", " ") + n[:7]
	case 10:
		return "00" + pick(r, "49", "43", "31") + " " + n[:2] + " " + n[2:]
	}
	return "+" + pick(r, "91", "86", "55", "972", "353") + n + letters(r, digits, 1)
}

func iban(r *rand.Rand) string {
	c := []struct {
		country, form string
	}{
		{"DE", "dddddddddddddddddd"}, {"GB", "AAAAdddddddddddddd"}, {"FR", "ddddddddddddddddddddddd"}, {"NL", "AAAAdddddddddd"},
		{"ES", "dddddddddddddddddddd"}, {"NO", "ddddddddddd"}, {"MT", "AAAAdddddddddddddddddddddd"}, {"CH", "ddddddddddddddddd"},
	}[r.IntN(8)]
	if c.country == "MT" {
		c.form += "d"
	}
	var b strings.Builder
	for i := range len(c.form) {
		if c.form[i] == 'A' {
			b.WriteString(letters(r, upper, 1))
		} else {
			b.WriteString(letters(r, digits, 1))
		}
	}
	var number strings.Builder
	for _, l := range b.String() + c.country + "00" {
		if l >= 'A' {
			number.WriteString(strconv.Itoa(int(l-'A') + 10))
		} else {
			number.WriteRune(l)
		}
	}
	n, _ := new(big.Int).SetString(number.String(), 10)
	check := 98 - new(big.Int).Mod(n, big.NewInt(97)).Int64()
	text := fmt.Sprintf("%s%02d%s", c.country, check, b.String())
	if r.IntN(2) == 0 {
		return text
	}
	return groups(text, " ", 4, 4, 4, 4, 4, 4, 4)
}

func ip(r *rand.Rand) string {
	for {
		var a netip.Addr
		if r.IntN(2) == 0 {
			b := [4]byte(random(r, 4))
			b[0] = 1 + b[0]%223
			a = netip.AddrFrom4(b)
		} else {
			b := [16]byte(random(r, 16))
			b[0], b[1] = 0x20, 1+b[1]%15
			for i := 2; i < 16; i++ {
				if r.IntN(3) == 0 {
					b[i] = 0
				}
			}
			a = netip.AddrFrom16(b)
		}
		if !a.IsLoopback() {
			return a.String()
		}
	}
}

func jwt(r *rand.Rand) string {
	header := fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, pick(r, "HS256", "RS256", "ES256"), letters(r, alnum, 8))
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d}`, letters(r, digits, 10), r.IntN(1<<30))
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + letters(r, alnum+"-_", 43)
}

func bearer(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(letters(r, lower, 6)+":"+letters(r, alnum, 10)))
	}
	return pick(r, "Bearer ", "bearer ", "Authorization: Bearer ") + letters(r, alnum+"-._", 24+r.IntN(30)) + letters(r, alnum, 12)
}

func apiKey(r *rand.Rand) string {
	switch r.IntN(20) {
	case 0:
		return "sk-proj-" + letters(r, alnum+"-_", 74) + letters(r, alnum, 20) + "T3BlbkFJ" + letters(r, alnum, 20)
	case 1:
		return "sk-ant-api03-" + letters(r, alnum+"-_", 60) + letters(r, alnum, 33) + "AA"
	case 2:
		return "AIza" + letters(r, alnum+"-_", 34) + letters(r, alnum, 1)
	case 3:
		return "AKIA" + letters(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 15) + "7"
	case 4:
		return "ghp_" + letters(r, alnum, 36)
	case 5:
		return "github_pat_" + letters(r, alnum, 22) + "_" + letters(r, alnum, 59)
	case 6:
		return "glpat-" + letters(r, alnum, 20)
	case 7:
		return "xoxb-" + letters(r, digits, 12) + "-" + letters(r, digits, 12) + "-" + letters(r, alnum, 24)
	case 8:
		return "hf_" + letters(r, lower+upper, 34)
	case 9:
		return pick(r, "sk_live_", "rk_live_") + letters(r, alnum, 24)
	case 10:
		return "gsk_" + letters(r, alnum, 52)
	case 11:
		return "xai-" + letters(r, alnum, 80)
	case 12:
		return "npm_" + letters(r, alnum, 36)
	case 13:
		return "SG." + letters(r, alnum+"-_", 21) + letters(r, alnum, 1) + "." + letters(r, alnum+"-_", 42) + letters(r, alnum, 1)
	case 14:
		return "dop_v1_" + letters(r, hexa, 64)
	case 15:
		return letters(r, alnum, 52) + "JQQJ99" + letters(r, alnum, 26)
	case 16:
		return "sk-or-v1-" + letters(r, hexa, 64)
	case 17:
		return "r8_" + letters(r, alnum, 37)
	case 18:
		return "hvs." + letters(r, alnum+"-_", 90) + letters(r, alnum, 12)
	}
	return letters(r, digits, 10) + ":AA" + letters(r, alnum+"-_", 32) + letters(r, alnum, 1)
}

func privateKey(r *rand.Rand) string {
	b := random(r, 100+r.IntN(900))
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: pick(r, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), Bytes: b})))
}

func credential(r *rand.Rand) string {
	value := letters(r, alnum, 12+r.IntN(12))
	switch r.IntN(6) {
	case 0:
		return "password=" + value
	case 1:
		return `"client_secret": "` + value + `"`
	case 2:
		return "https://" + letters(r, lower, 6) + ":" + value + "@db.internal/x"
	case 3:
		return "postgres://" + letters(r, lower, 6) + ":" + value + "@db:5432/x"
	case 4:
		return "https://api.test/v1?api_key=" + value + "&page=2"
	}
	return "X-API-Key: " + value + letters(r, digits, 1)
}

// A Sample is a value in the form in which it stands in a text, and what of it may not
// be left.
type Sample struct{ Kind, Text, Secret string }

// secretOf is the part of a generated credential that may not be left.
func secretOf(text string) string {
	for _, before := range []string{"password=", `"client_secret": "`, "api_key=", "X-API-Key: ", "Basic ", "Bearer ", "bearer "} {
		if _, after, ok := strings.Cut(text, before); ok {
			after, _, _ = strings.Cut(after, "&")
			return strings.Trim(after, `"`)
		}
	}
	if _, after, ok := strings.Cut(text, "://"); ok {
		user, _, _ := strings.Cut(after, "@")
		_, password, _ := strings.Cut(user, ":")
		return password
	}
	return text
}

var generators = map[string]func(r *rand.Rand) string{
	"card": card, "email": email, "phone": phone, "iban": iban, "ip": ip, "jwt": jwt,
	"bearer": bearer, "api_key": apiKey, "private_key": privateKey, "credential": credential,
}

// Kinds are the kinds of samples.
func Kinds() []string { return slices.Sorted(maps.Keys(generators)) }

// Of returns a sample of a kind.
func Of(r *rand.Rand, kind string) Sample {
	text := generators[kind](r)
	secret := text
	if kind == "bearer" || kind == "credential" {
		secret = secretOf(text)
	}
	return Sample{kind, text, secret}
}

// Sentence puts a text into ordinary text.
func Sentence(r *rand.Rand, text string) string {
	before := pick(r, "Please use ", "My new one is ", "I called (", "see: ", "Order 12, ", "It says \"", "the value is '", "", "\n- ", "Grüße, ", "请用 ")
	after := pick(r, " for that.", ", please.", ").", "!", "", "\nThanks", "\" and more", " or 17 others", "?", ";")
	return before + text + after
}
