package llmhttp

// A spill takes what there is no room for, and is not kept.
type spill struct {
	piece  piece
	choice choice
}

func (x *exchange) spilled() *spill {
	x.cut = true
	if x.spill == nil {
		x.spill = new(spill)
	}
	return x.spill
}

func (x *exchange) spills(p *piece) bool { return x.spill != nil && p == &x.spill.piece }

func (x *exchange) spillsChoice(c *choice) bool { return x.spill != nil && c == &x.spill.choice }
