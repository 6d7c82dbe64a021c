// Package money counts amounts of money, those of each currency by themselves.
package money

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Default is the currency of an amount that names none.
const Default = "USD"

// The keys of the metadata that amounts stand under. One amount has its currency
// beside; those of several currencies are an object, by currency.
const (
	CostKey     = "cost"
	CurrencyKey = "cost_currency"
	CostsKey    = "costs"
)

// units are how many parts a currency is counted in, so that sums do not depend on the
// order of what is added; most is the largest amount.
const (
	units = 1e9
	most  = 1e9
)

// Amount is an amount in one currency.
type Amount struct {
	Currency string
	Value    float64
}

// Currency returns the code of a currency as it is written: three capital letters, as
// in ISO 4217, and Default for an empty one. What has no such form is an error.
func Currency(code string) (string, error) {
	code = strings.TrimSpace(code)
	if code == "" {
		return Default, nil
	}
	upper := strings.ToUpper(code)
	if len(upper) != 3 || strings.Trim(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", fmt.Errorf("%.40q is no code of a currency, such as USD", code)
	}
	return upper, nil
}

// New returns an amount that was checked.
func New(value float64, currency string) (Amount, error) {
	code, err := Currency(currency)
	if !(value >= 0 && value <= most) { // which NaN is not
		err = errors.Join(fmt.Errorf("%v is no amount from 0 to %v", value, float64(most)), err)
	}
	return Amount{code, value}, err
}

// Append writes amounts of different currencies, of which there is at least one, as
// they stand in the metadata.
func Append(dst []byte, amounts []Amount) []byte {
	if len(amounts) == 1 {
		dst = rawjson.AppendFloat(append(dst, `{"`+CostKey+`":`...), amounts[0].Value, 64)
		return append(append(append(dst, `,"`+CurrencyKey+`":"`...), amounts[0].Currency...), `"}`...)
	}
	dst = append(dst, `{"`+CostsKey+`":`...)
	for i, a := range amounts {
		mark := byte(',')
		if i == 0 {
			mark = '{'
		}
		dst = append(append(append(dst, mark, '"'), a.Currency...), `":`...)
		dst = rawjson.AppendFloat(dst, a.Value, 64)
	}
	return append(dst, "}}"...)
}

// Tally is what something costs in one currency: the larger of what it says itself and
// of what those directly below it come to.
type Tally struct {
	own   *big.Int // in units; nil where it says nothing
	below Sum
}

// Set makes an amount what is said, or nil nothing.
func (t *Tally) Set(a *Amount) {
	t.own = nil
	if a != nil {
		t.own = big.NewInt(int64(math.Round(a.Value * units)))
	}
}

// Says reports whether anything is said.
func (t *Tally) Says() bool { return t.own != nil }

// Below returns the sum of those directly below.
func (t *Tally) Below() *Sum { return &t.below }

// Count returns what is counted, or nil where that is nothing. It must not be changed.
func (t *Tally) Count() *big.Int {
	below := t.below.count()
	if below == nil || t.own != nil && t.own.Cmp(below) >= 0 {
		return t.own
	}
	return below
}

// Sum adds up amounts, which may be replaced by others. It is exact. The zero Sum is
// empty.
type Sum struct {
	units big.Int
	said  int // how many amounts there are
}

// Replace takes an amount out of the sum and adds another one; either may be nil.
func (s *Sum) Replace(before, after *big.Int) {
	if before != nil {
		s.units.Sub(&s.units, before)
		s.said--
	}
	if after != nil {
		s.units.Add(&s.units, after)
		s.said++
	}
}

func (s *Sum) count() *big.Int {
	if s.said == 0 {
		return nil
	}
	return new(big.Int).Set(&s.units)
}

// Sums are the sums of some currencies.
type Sums map[string]*Sum

// Of returns the sum of a currency.
func (s *Sums) Of(currency string) *Sum {
	if *s == nil {
		*s = make(Sums)
	}
	if (*s)[currency] == nil {
		(*s)[currency] = new(Sum)
	}
	return (*s)[currency]
}

// Amounts returns the sums that are not empty, by their currencies.
func (s Sums) Amounts() (list []Amount) {
	for currency, sum := range s {
		if sum.said > 0 {
			n, _ := new(big.Float).SetInt(&sum.units).Float64()
			list = append(list, Amount{currency, n / units})
		}
	}
	slices.SortFunc(list, func(a, b Amount) int { return cmp.Compare(a.Currency, b.Currency) })
	return list
}
