package redact

// A Detector finds one kind of thing in texts. Its name is in the marks of what it has
// found.
type Detector string

// The built-in detectors. The documentation of the package says what each looks for.
const (
	Card       Detector = "card"
	Email      Detector = "email"
	Phone      Detector = "phone"
	IBAN       Detector = "iban"
	IP         Detector = "ip"
	JWT        Detector = "jwt"
	Bearer     Detector = "bearer"
	APIKey     Detector = "api_key"
	PrivateKey Detector = "private_key"
	Credential Detector = "credential"
)

// finds are the detectors that are on.
type finds struct{ cards, emails, phones, ibans, ips, jwts, bearers, apiKeys, privateKeys, credentials bool }

func (f *finds) set(actions map[Detector]Action) {
	on := func(d Detector) bool { return actions[d] != Keep }
	*f = finds{on(Card), on(Email), on(Phone), on(IBAN), on(IP), on(JWT), on(Bearer), on(APIKey), on(PrivateKey), on(Credential)}
}

// Detectors returns all built-in detectors.
func Detectors() []Detector {
	return []Detector{Card, Email, Phone, IBAN, IP, JWT, Bearer, APIKey, PrivateKey, Credential}
}
