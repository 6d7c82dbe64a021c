package record

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// Keys of the metadata that say what a call is to be paid by, the first that holds a
// value of the right type. A dot stands between a key and one inside of its value.
var (
	currencyKeys  = []string{"cost_currency"}
	costsKey      = "costs" // amounts by currency
	tierKeys      = []string{"response_service_tier", "service_tier"}
	cacheReadKeys = []string{"cache_read_input_tokens", "cached_tokens", "cache_read_tokens", "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"}
	cacheMadeKeys = []string{"cache_write_input_tokens", anthropicCacheKey, "cache_write_tokens"}
	reasoningKeys = []string{"reasoning_tokens", "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"}
	soundKeys     = []string{"audio_input_tokens", "audio_output_tokens", "input_audio_tokens", "output_audio_tokens", "prompt_tokens_details.audio_tokens", "completion_tokens_details.audio_tokens"}
)

// anthropicCacheKey is in the usage of Anthropic's API, whose input_tokens are those
// beside the cache: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
const anthropicCacheKey = "cache_creation_input_tokens"

// longestCurrency bounds what is kept of a currency that is none.
const longestCurrency = 16

// currency returns the currency of the cost of a payload.
func (b buckets) currency() string {
	c := cmp.Or(firstText(b.metadata, currencyKeys), firstText(b.metrics, currencyKeys))
	c = strings.ToUpper(strings.TrimSpace(c))
	return cmp.Or(strings.ToValidUTF8(c[:min(len(c), longestCurrency)], ""), prices.DefaultCurrency)
}

// Amount is what is paid in one currency, in units of CostUnit.
type Amount struct {
	Currency string
	Units    int64
	Derived  int64 `json:",omitempty"` // of the units
}

// mostCurrencies is how many currencies of a session are told apart.
const mostCurrencies = 32

// Amounts are the sums of some currencies.
type Amounts []Amount

// Add adds amounts. Of very many currencies the last are left out.
func (l *Amounts) Add(more ...Amount) {
	for _, a := range more {
		i := slices.IndexFunc(*l, func(b Amount) bool { return b.Currency == a.Currency })
		switch {
		case i >= 0:
			b := &(*l)[i]
			b.Units, b.Derived = AddCapped(b.Units, a.Units), AddCapped(b.Derived, a.Derived)
		case len(*l) < mostCurrencies:
			*l = append(*l, a)
		}
	}
}

// Sorted sorts the sums by their currencies.
func (l Amounts) Sorted() Amounts {
	slices.SortFunc(l, func(a, b Amount) int { return cmp.Compare(a.Currency, b.Currency) })
	return l
}

// amounts returns what a payload says it costs.
func (b buckets) amounts() []Amount {
	if v, ok := b.cost().Get(); ok {
		return []Amount{{Currency: b.currency(), Units: ToCostUnits(v)}}
	}
	var list Amounts
	raw, _ := get(b.metadata, costsKey)
	if raw.Kind() != honeyhive.KindObject {
		return nil
	}
	inside := raw.Object()
	for currency := range inside.All() {
		if len(list) == mostCurrencies {
			break
		}
		v := buckets{metadata: inside}.number([]string{currency}, isCost)
		if n, ok := v.Get(); ok {
			one, _ := honeyhive.Object{}.With(currencyKeys[0], currency)
			list.Add(Amount{Currency: buckets{metadata: one}.currency(), Units: ToCostUnits(n)})
		}
	}
	return list
}

func isCost(v float64) bool { return v >= 0 && v <= maxCost }

// inside returns the count under one of some keys, and which.
func (b buckets) inside(keys []string) (n int64, key string) {
	for _, k := range keys {
		at := b
		before, after, nested := strings.Cut(k, ".")
		if nested {
			raw, _ := get(b.metadata, before)
			if raw.Kind() != honeyhive.KindObject {
				continue
			}
			at = buckets{metadata: raw.Object()}
		} else {
			after = k
		}
		if v, ok := at.count([]string{after}).Get(); ok {
			return v, k
		}
	}
	return 0, ""
}

// Billed reports whether an event says tokens or a cost.
func Billed(row *store.EventRow) bool {
	return !row.TokensIn.IsZero() || !row.TokensOut.IsZero() || !row.Cost.IsZero()
}

// bill fills in what the price of an event is looked up by.
func (b buckets) bill(row *store.EventRow, config honeyhive.Object) {
	if !Billed(row) {
		return
	}
	if !row.Cost.IsZero() {
		row.Currency = b.currency()
	}
	row.Provider = beginning(text(config, "provider"))
	if model := beginning(text(b.metadata, "response_model")); model != row.Model {
		row.ResponseModel = model
	}
	row.ServiceTier = beginning(cmp.Or(firstText(b.metadata, tierKeys), text(config, "service_tier")))
	for _, k := range soundKeys {
		if n, _ := b.inside([]string{k}); n > 0 {
			row.ServiceTier = "audio"
		}
	}
	u := &row.Billed
	u.Input, u.Output = row.TokensIn.Or(0), row.TokensOut.Or(0)
	u.CacheRead, _ = b.inside(cacheReadKeys)
	u.CacheWrite, _ = b.inside(cacheMadeKeys)
	u.Reasoning, _ = b.inside(reasoningKeys)
	_, asOpenAI := b.inside(tokensInKeys[:1])
	_, asAnthropic := b.inside([]string{anthropicCacheKey})
	if cached := u.CacheRead + u.CacheWrite; cached > u.Input || asOpenAI == "" && asAnthropic != "" {
		u.Input += cached // all are bounded
	}
	if u.Reasoning > u.Output {
		u.Output += u.Reasoning
	}
}

// derive fills in what a node adds by prices: from the tokens that it counts beyond
// those below it, where it says no cost itself.
func (n *Node) derive(table *prices.Table) {
	n.Derived = Amount{}
	n.Unpriced = false
	u := prices.Usage{
		Input: n.Self[FieldInput], Output: n.Self[FieldOutput],
		CacheRead: n.Self[FieldCacheRead], CacheWrite: n.Self[FieldCacheWrite], Reasoning: n.Self[FieldReasoning],
	}
	n.HasDerived = false
	if table == nil || n.HasCost || u.Input == 0 && u.Output == 0 {
		return
	}
	call := n.Call
	call.Usage = u
	for _, model := range [...]string{n.Response, n.Call.Model} {
		if model == "" && n.Call.Model != "" {
			continue
		}
		call.Model = model
		if cost, err := table.Derive(call); err == nil && cost.Amount <= maxSum*CostUnit {
			n.Derived, n.HasDerived = Amount{cost.Currency, ToCostUnits(cost.Amount), ToCostUnits(cost.Amount)}, true
			return
		}
	}
	n.Unpriced = true
}

// mostUnpriced is how many names of what has no price are listed.
const mostUnpriced = 32

// addUnpriced adds what has no price to a sorted list.
func addUnpriced(list []string, name string) []string {
	at, known := slices.BinarySearch(list, name)
	if known || len(list) == mostUnpriced {
		return list
	}
	return slices.Insert(list, at, name)
}

// pay counts what the events of a session cost, each once in each currency, and fills in
// what each adds. Order has parents before their children.
func (c *Counts) pay(nodes []Node, parent, order []int32, table *prices.Table) {
	main := table.Currency()
	var currencies []string
	note := func(currency string) {
		if !slices.Contains(currencies, currency) && len(currencies) < mostCurrencies {
			currencies = append(currencies, currency)
		}
	}
	for i := range nodes {
		n := &nodes[i]
		n.derive(table)
		n.Self[FieldCost], n.Known[FieldCost], n.SelfDerived, n.Others = 0, false, 0, nil
		if n.Unpriced {
			c.Unpriced = addUnpriced(c.Unpriced, n.name())
		}
		if n.HasCost {
			note(n.Cost.Currency)
		}
		if n.HasDerived {
			note(n.Derived.Currency)
		}
	}
	slices.Sort(currencies)
	below := make([]Amount, len(nodes))
	for _, currency := range currencies {
		clear(below)
		sum := Amount{Currency: currency}
		for _, i := range slices.Backward(order) {
			n, b := &nodes[i], &below[i]
			var self Amount
			known := true
			switch {
			case n.HasCost && n.Cost.Currency == currency:
				self.Units = max(0, n.Cost.Units-b.Units)
				if n.Cost.Units >= b.Units { // the sum is what was said
					b.Units, b.Derived = n.Cost.Units, 0
				}
				c.Nested = c.Nested || self.Units != n.Cost.Units
			case n.HasDerived && n.Derived.Currency == currency:
				self = n.Derived
				b.Units, b.Derived = AddCapped(b.Units, self.Units), AddCapped(b.Derived, self.Derived)
			default:
				known = false
			}
			switch {
			case currency == main:
				n.Self[FieldCost], n.Known[FieldCost], n.SelfDerived = self.Units, known, self.Derived
			case self.Units > 0:
				n.Others = append(n.Others, Amount{currency, self.Units, self.Derived})
			}
			above := &sum
			if p := parent[i]; p >= 0 {
				above = &below[p]
			}
			above.Units, above.Derived = AddCapped(above.Units, b.Units), AddCapped(above.Derived, b.Derived)
		}
		c.Costs = append(c.Costs, sum)
	}
}

// Settle writes what a node comes to by prices to the row of its event.
func (n *Node) Settle(row *store.EventRow) {
	row.Derived, row.DerivedCurrency = honeyhive.Optional[float64]{}, ""
	if n.HasDerived {
		row.Derived, row.DerivedCurrency = honeyhive.Some(FromCostUnits(n.Derived.Units)), n.Derived.Currency
	}
	row.Unpriced = n.Unpriced
}

// name names what has no price.
func (n *Node) name() string {
	return beginning(n.Call.String())
}

// costs fills in what a session costs: in each currency the larger of what it says itself
// and of what its events come to.
func (c *Counts) costs(row *store.SessionRow, own []Amount, main string) {
	var all Amounts
	if c != nil {
		all = slices.Clone(c.Costs)
		row.Unpriced = c.Unpriced
	}
	var said Amounts
	said.Add(own...)
	for _, a := range said {
		i := slices.IndexFunc(all, func(e Amount) bool { return e.Currency == a.Currency })
		switch {
		case i < 0:
			all = append(all, a)
		case a.Units >= all[i].Units:
			all[i] = a
		}
	}
	row.Cost, row.CostDerived, row.Currency, row.OtherCosts = honeyhive.Optional[float64]{}, 0, "", nil
	for _, a := range all.Sorted() {
		units, known := BoundedSum(honeyhive.Some(a.Units)).Get()
		if !known {
			continue
		}
		amount, derived := FromCostUnits(units), FromCostUnits(min(units, a.Derived))
		if a.Currency == main {
			row.Cost, row.CostDerived, row.Currency = honeyhive.Some(amount), derived, main
			continue
		}
		row.OtherCosts = append(row.OtherCosts, store.Cost{Currency: a.Currency, Amount: amount, Derived: derived})
	}
}

func isCostKey(key string) bool {
	return key == costKeys[0] || key == costKeys[1] || key == currencyKeys[0] || key == costsKey
}

// mixedCosts adds up what the turns of a session cost by their own word, where that is
// in several currencies: it then stands under costsKey, and ok is true. What an update
// says stands for all of them.
func mixedCosts(counts map[string]map[string]cell) (out map[string]string, ok bool) {
	out = make(map[string]string)
	turns := make(map[string]*writer) // what each says
	for key, of := range counts {
		if !isCostKey(key) {
			continue
		}
		for turn, c := range of {
			if turn == "" {
				return out, false
			}
			if turns[turn] == nil {
				turns[turn] = new(writer)
			}
			turns[turn].member(key, c.text)
		}
	}
	var sum Amounts
	for _, said := range turns {
		sum.Add(buckets{metadata: honeyhive.Value(said.object()).Object()}.amounts()...)
	}
	if len(sum) < 2 && (len(sum) == 0 || len(counts[costsKey]) == 0) {
		return out, false
	}
	var w writer
	for _, a := range sum.Sorted() {
		w.member(a.Currency, number64(FromCostUnits(a.Units)))
	}
	out[costsKey] = w.object()
	return out, true
}
