package sessionspan

import "log/slog"

// WithLogger sets where the tracer logs the link of the first session that a local
// server shows: one record at the level Info. The default is slog.Default; a nil
// logger logs nothing. Where [WithTailSampling] may leave sessions out, no link is
// logged. What goes wrong is not logged; see [WithErrorHandler].
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) {
		if c.logger = l; l == nil {
			c.logger = slog.New(slog.DiscardHandler)
		}
	})
}

// URL returns the address of the page that shows the session, on the local server of
// this project, where [WithHTTP] or [WithOTLP], or a variable in their place, has the
// tracer deliver to one at a loopback address. It is empty where that is not certain:
// where nothing answers there or something else does, for every other server, such as
// HoneyHive, whose addresses name a project by an id that only its page knows, for a
// session that is not recorded, and on a nil Session.
//
// URL asks the server for at most a second, unless it is known already. The page has
// the session once it was announced, or has ended and was delivered.
func (s *Session) URL() string {
	r := s.recording()
	if !r.recorded() {
		return ""
	}
	page := r.reporter().page.Wait()
	if page == "" {
		return ""
	}
	return page + "/s/" + s.ID()
}
