package redact

import "strings"

// ibanSizes are how long the numbers of each country are, by the IBAN registry (ISO
// 13616) that SWIFT publishes.
var ibanSizes = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30,
	"KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
	"MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
	"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban looks for an International Bank Account Number (ISO 13616) in one piece, or in
// groups with single spaces or "-" between them.
func (w *walker) iban(text string, i int) int {
	country := strings.ToUpper(text[i : i+2])
	size := ibanSizes[country]
	if size == 0 || !w.on.ibans {
		return 0
	}
	plain := make([]byte, 0, 40)
	j := i
	for ; j < len(text) && len(plain) < size; j++ {
		switch c := text[j]; {
		case isDigit(c):
			plain = append(plain, c)
		case isLetter(c):
			plain = append(plain, c&^0x20)
		case (c == ' ' || c == '-') && len(plain) >= 4 && isAlnum(text[j-1]):
		default:
			return 0
		}
	}
	if len(plain) < size || j < len(text) && isAlnum(text[j]) || !checked(plain) {
		return 0
	}
	w.add(i, j, IBAN, string(plain))
	return j
}

// checked reports whether the check digits are right: with the first four characters at
// the end, and letters as two digits, the rest of a division by 97 is 1 (ISO 7064).
func checked(plain []byte) bool {
	rest := 0
	for n := range plain {
		c := plain[(n+4)%len(plain)]
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}
