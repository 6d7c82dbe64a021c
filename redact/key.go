package redact

import "strings"

// A format is how the keys of one provider are written: a prefix that it gives all of
// them, and how many letters of which set follow.
type format struct {
	prefix      string
	set         set
	least, most int // of the letters behind the prefix; most 0 for any number
}

// set is a set of bytes, as one bit of letterSets.
type set byte

const (
	alnum   set = 1 << iota
	urlSafe     // and - _
	hexa
	upper  // and digits
	base   // of base64, with =
	dotted // and - _ . =
	tilde  // and - _ . ~
)

var letterSets = func() (table [256]set) {
	for c := range table {
		b := byte(c)
		if isAlnum(b) {
			table[c] |= alnum | urlSafe | base | dotted | tilde
		}
		if isHex(b) {
			table[c] |= hexa
		}
		if isDigit(b) || 'A' <= b && b <= 'Z' {
			table[c] |= upper
		}
	}
	for _, c := range []byte("-_") {
		table[c] |= urlSafe | dotted | tilde
	}
	for _, c := range []byte("+/=") {
		table[c] |= base
	}
	for _, c := range []byte(".=") {
		table[c] |= dotted
	}
	table['.'] |= tilde
	table['~'] |= tilde
	return table
}()

// formats are those that the providers document, or that their clients check. Those of
// a fixed length are known by it; the others have to look random besides.
var formats = []format{
	// Models.
	{"sk-", urlSafe, 20, 0},           // OpenAI, Anthropic, DeepSeek, OpenRouter, LiteLLM and others that follow them
	{"sk_", urlSafe, 24, 0},           // ElevenLabs, Stripe, Clerk
	{"sess-", alnum, 24, 0},           // OpenAI, of a browser
	{"AIza", urlSafe, 35, 35},         // Google
	{"AQ.", urlSafe, 30, 0},           // Google, of service accounts
	{"ya29.", dotted, 20, 0},          // Google OAuth
	{"GOCSPX-", urlSafe, 24, 0},       // Google OAuth
	{"hf_", alnum, 30, 0},             // Hugging Face
	{"api_org_", alnum, 30, 0},        // Hugging Face, of organisations
	{"r8_", alnum, 37, 37},            // Replicate
	{"gsk_", alnum, 40, 0},            // Groq
	{"xai-", alnum, 40, 0},            // xAI
	{"pplx-", alnum, 40, 0},           // Perplexity
	{"csk-", alnum, 40, 0},            // Cerebras
	{"nvapi-", urlSafe, 40, 0},        // NVIDIA
	{"fw_", alnum, 20, 0},             // Fireworks
	{"tgp_v1_", urlSafe, 30, 0},       // Together
	{"jina_", urlSafe, 40, 0},         // Jina
	{"pa-", urlSafe, 40, 0},           // Voyage
	{"co-", urlSafe, 40, 0},           // Cohere
	{"tvly-", urlSafe, 20, 0},         // Tavily
	{"pcsk_", urlSafe, 40, 0},         // Pinecone
	{"llx-", urlSafe, 40, 0},          // LlamaCloud
	{"fc-", hexa, 32, 32},             // Firecrawl
	{"lsv2_pt_", urlSafe, 32, 0},      // LangSmith
	{"lsv2_sk_", urlSafe, 32, 0},      // LangSmith
	{"pk-lf-", urlSafe, 36, 36},       // Langfuse
	{"hh_ingst_", urlSafe, 24, 0},     // HoneyHive
	{"hh_fgdp_", urlSafe, 24, 0},      // HoneyHive
	{"ABSK", base, 60, 0},             // Amazon Bedrock
	{"bedrock-api-key-", base, 40, 0}, // Amazon Bedrock, for a short time
	{"dapi", hexa, 32, 0},             // Databricks
	// Clouds.
	{"AKIA", upper, 16, 16},                                                         // AWS
	{"ASIA", upper, 16, 16},                                                         // AWS, for a short time
	{"ABIA", upper, 16, 16},                                                         // AWS
	{"ACCA", upper, 16, 16},                                                         // AWS
	{"LTAI", alnum, 16, 26},                                                         // Alibaba Cloud
	{"AKID", alnum, 32, 36},                                                         // Tencent Cloud
	{"dop_v1_", hexa, 64, 64}, {"doo_v1_", hexa, 64, 64}, {"dor_v1_", hexa, 64, 64}, // DigitalOcean
	{"HRKU-", urlSafe, 30, 0},                                                    // Heroku
	{"hvs.", urlSafe, 24, 0}, {"hvb.", urlSafe, 24, 0}, {"hvr.", urlSafe, 24, 0}, // HashiCorp Vault
	{"sbp_", hexa, 40, 0},                               // Supabase
	{"sb_secret_", urlSafe, 20, 0},                      // Supabase
	{"dp.pt.", alnum, 40, 0}, {"dp.st.", dotted, 40, 0}, // Doppler
	{"pul-", hexa, 40, 40}, // Pulumi
	// Code and packages.
	{"ghp_", alnum, 36, 0}, {"gho_", alnum, 36, 0}, {"ghu_", alnum, 36, 0}, {"ghs_", alnum, 36, 0}, {"ghr_", alnum, 36, 0}, // GitHub
	{"github_pat_", urlSafe, 50, 0},                                                                                                        // GitHub
	{"glpat-", dotted, 20, 0}, {"gldt-", urlSafe, 20, 0}, {"glrt-", dotted, 20, 0}, {"glptt-", urlSafe, 40, 0}, {"glcbt-", urlSafe, 20, 0}, // GitLab
	{"npm_", alnum, 36, 36},                                      // npm
	{"pypi-", urlSafe, 50, 0},                                    // PyPI
	{"dckr_pat_", urlSafe, 27, 0}, {"dckr_oat_", urlSafe, 27, 0}, // Docker
	{"ATATT3", dotted, 100, 0}, {"ATCTT3", dotted, 100, 0}, // Atlassian
	{"lin_api_", alnum, 40, 0}, {"ntn_", alnum, 40, 0}, {"figd_", urlSafe, 40, 0}, // Linear, Notion, Figma
	{"PMAK-", urlSafe, 50, 0},                        // Postman
	{"glsa_", urlSafe, 32, 0}, {"glc_", base, 32, 0}, // Grafana
	{"sntrys_", dotted, 40, 0}, {"sntryu_", hexa, 64, 64}, // Sentry
	{"NRAK-", upper, 27, 27}, {"NRJS-", hexa, 19, 0}, // New Relic
	{"phx_", urlSafe, 32, 0}, {"phc_", urlSafe, 32, 0}, // PostHog
	{"ops_eyJ", urlSafe, 60, 0},         // 1Password
	{"AGE-SECRET-KEY-1", upper, 58, 58}, // age
	// Messages and payments.
	{"xoxb-", urlSafe, 20, 0}, {"xoxp-", urlSafe, 20, 0}, {"xoxa-", urlSafe, 20, 0}, {"xoxs-", urlSafe, 20, 0}, {"xoxr-", urlSafe, 20, 0}, // Slack
	{"xoxe.", dotted, 20, 0}, {"xapp-", urlSafe, 20, 0}, // Slack
	{"rk_live_", alnum, 20, 0}, {"rk_test_", alnum, 20, 0}, {"whsec_", base, 24, 0}, // Stripe
	{"SG.", dotted, 60, 0},                                                                                 // SendGrid
	{"SK", hexa, 32, 32},                                                                                   // Twilio
	{"key-", hexa, 32, 32},                                                                                 // Mailgun
	{"shpat_", hexa, 32, 32}, {"shpss_", hexa, 32, 32}, {"shpca_", hexa, 32, 32}, {"shppa_", hexa, 32, 32}, // Shopify
	{"sq0atp-", urlSafe, 22, 0}, {"sq0csp-", urlSafe, 40, 0}, {"EAAA", urlSafe, 56, 0}, // Square
	{"xkeysib-", urlSafe, 64, 0}, // Brevo
}

// formatsAt are the formats by the first two bytes of their prefixes.
var formatsAt = func() (table [256]*[256][]format) {
	for _, f := range formats {
		if table[f.prefix[0]] == nil {
			table[f.prefix[0]] = new([256][]format)
		}
		list := &table[f.prefix[0]][f.prefix[1]]
		*list = append(*list, f)
	}
	return table
}()

// apiKey looks for a key of one of the formats that begins at a byte, and returns where
// it ends, or 0.
func (w *walker) apiKey(list []format, text string, i int) int {
	if !w.on.apiKeys {
		return 0
	}
	for n := range list {
		if !list[n].sure() && list[n].least != list[n].most && w.memo.keys.has(i, len(text)) {
			continue
		}
		if to := w.keyEnd(&list[n], text, i); to > 0 {
			w.add(i, to, APIKey, text[i:to])
			return to
		}
	}
	return 0
}

// middleKey looks for a key that is known by what stands within it, and begins at a
// word.
func (w *walker) middleKey(text string, i, end int) int {
	if !w.on.apiKeys {
		return 0
	}
	to := byMiddle(text, i, end)
	if to > 0 {
		w.add(i, to, APIKey, text[i:to])
	}
	return to
}

// azureKey is the length of a key of Azure.
const azureKey = 84

// keyEnd returns where a key of a format ends that begins at a byte, or 0.
func (w *walker) keyEnd(f *format, text string, i int) int {
	const looked = 256 // so many letters tell whether it is one
	if !strings.HasPrefix(text[i:], f.prefix) {
		return 0
	}
	from := i + len(f.prefix)
	to := from
	for to < len(text) && to-from < looked && letterSets[text[to]]&f.set != 0 {
		to++
	}
	n := to - from
	w.looks += 2 * n
	switch {
	case n < f.least || f.most > 0 && n > f.most, to < len(text) && to-from < looked && isAlnum(text[to]):
		return 0
	case f.least == f.most && (f.set != upper || mixed(text[from:to])), random(text[from:to]), f.sure() && mixed(text[from:to]):
	default:
		w.memo.keys.note(text, from, to)
		return 0
	}
	for to < len(text) && letterSets[text[to]]&f.set != 0 {
		to++
	}
	for text[to-1] == '.' { // the end of a sentence
		to--
	}
	return to
}

// sure reports whether the prefix, or the length, is one that no words have.
func (f *format) sure() bool {
	const long, most = 5, 40
	return len(f.prefix) >= long || f.least >= most
}

// mixed reports whether a text has digits and letters, or letters of both cases.
func mixed(text string) bool {
	digits := strings.ContainsAny(text, "0123456789")
	lower, upper := strings.ToUpper(text) != text, strings.ToLower(text) != text
	return digits && (lower || upper) || lower && upper
}

// byMiddle looks for keys that are known by what stands within them: those of bots of
// Telegram (digits, ":AA", 33 letters), client secrets of Microsoft Entra (three
// letters, a digit, "Q~"), keys of Azure (84 letters with "JQQJ99" in the middle), and
// tokens of HCP Terraform (".atlasv1.").
func byMiddle(text string, i, end int) int {
	n := end - i
	switch {
	case n >= 8 && n <= 10 && end+2 < len(text) && text[end] == ':' && text[end+1] == 'A' && text[end+2] == 'A':
		return run(text, end+1, 35, 35, urlSafe)
	case n == 5 && end < len(text) && text[end] == '~' && text[end-1] == 'Q' && isDigit(text[end-2]):
		return run(text, end+1, 30, 40, tilde)
	case n == azureKey && text[i+52:i+56] == "JQQJ":
		return end
	case n == 14 && strings.HasPrefix(text[end:], ".atlasv1."):
		return run(text, end+len(".atlasv1."), 60, 0, urlSafe)
	}
	return 0
}

// run returns where letters of a set end that are so many, or 0.
func run(text string, from, least, most int, s set) int {
	to := from
	for to < len(text) && letterSets[text[to]]&s != 0 {
		to++
	}
	if n := to - from; n < least || most > 0 && n > most {
		return 0
	}
	return to
}
