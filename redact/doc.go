// Package redact takes personal data and credentials out of texts, JSON and whole
// records before they leave the program.
//
// A [Policy] redacts in three ways, in this order: by key ([WithKey], and names of
// credentials), by a function of the program ([WithFunc]), and by what the built-in
// detectors find. What is found is masked, removed, hashed with a salt, or left but for
// its last characters ([Action]). Give a policy to all destinations of a tracer with
// sessionspan.WithRedaction, to one with exporter.WithRedaction, or use it by itself.
// Everything is redacted before it is queued on disk or sent, every copy of it, and
// before it is cut.
//
// # Detectors
//
// Each detector checks more than the shape of what it finds:
//
//	Detector     Finds                                    Checks                              Source
//	card         numbers of payment cards, in groups      Luhn, issuer, length                ISO/IEC 7812-1
//	email        addresses of e-mail                      local part, labels, top level       RFC 5322, RFC 6531
//	phone        +49 30 1234567, (212) 555-0100,          code of the country, length,        ITU-T E.164, NANP
//	             030 1234567, 0049 30 1234567             groups as people write them
//	iban         bank accounts, in groups                 country, length, rest of 97         ISO 13616, ISO 7064
//	ip           addresses of IPv4 and IPv6               net/netip; not loopback, masks,     RFC 791, RFC 4291
//	                                                      sections of documents, versions
//	jwt          signed and encrypted tokens              a header that is decoded            RFC 7515, RFC 7516
//	bearer       what follows Bearer and Basic            looks random; user and password     RFC 6750, RFC 7617
//	api_key      keys of some 90 formats of providers     prefix, letters, length             documents of the providers
//	             of models, clouds, code and payments
//	private_key  private keys of PEM, OpenSSH, PGP        the lines around them               RFC 7468, RFC 9580
//	credential   values of names of credentials, in       the name, and where it may mean     the names that clients and
//	             JSON, settings, headers and queries;     something else, whether the         gateways use
//	             users and passwords of URLs              value looks random
//
// Not found are numbers of phones in one piece without + or 00, unless a word or a key
// says what they are, and what no form tells:
// names of people, postal addresses. [WithKey] and [WithFunc] are for these.
//
// # Where it looks
//
// Values are looked at, and names of members and attributes too. JSON is walked, and so
// is JSON inside strings, to any depth up to 8 texts in each other; base64 (both
// alphabets, with and without padding, in lines) is decoded, redacted, and encoded again;
// escapes of URLs, JSON, programming languages and HTML, and letters of full width, are
// seen through, up to 8 times. What is nested or escaped deeper is masked. So is JSON of
// more than 64 levels, text in place of JSON that must be, and whatever a function fails
// at: redaction fails closed, and what it leaves in place is [redacted:failed].
//
// A redacted value is the same JSON as before: keys in their order, numbers with their
// digits. A number that is redacted becomes a string.
//
// # Texts that arrive in pieces
//
// A detector needs the whole of what it is to find, so a policy is asked for whole texts.
// This library joins what arrives in pieces, answers and the arguments of tools among
// them, before it is redacted: llmhttp writes what a stream came to when it has ended,
// and a destination redacts a record that is complete. No piece is sent by itself.
package redact
