// A session: the panel of an event without loading all anew, virtual rows, live
// changes, keys.
import { load, replace, say, stream } from "./fetch.mjs";
import { found } from "./found.mjs";
import { follow, onKey } from "./keys.mjs";
import { patch } from "./patch.mjs";
import { virtual } from "./rows.mjs";

let rows;

export function session() {
	const grid = document.getElementById("rows");
	if (grid) rows = virtual(grid, open);
	panel();
	live();
	keys();
	found(open);
	if (location.hash === "#detail" && matchMedia("(max-width: 1000px)").matches) document.getElementById("detail").scrollIntoView();
}

// panel opens links to an event of this view in place.
function panel() {
	document.addEventListener("click", (e) => {
		if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
		const link = e.target.closest("#session a");
		if (!link || !(link.dataset.unfold || same(link))) return;
		e.preventDefault();
		if (link.dataset.unfold) unfold(link);
		else open(keepUnfolded(link.href));
	});
	addEventListener("popstate", () => show(location.href));
}

// same reports whether a link leads to this view of this session.
function same(link) {
	const url = new URL(link.href);
	const part = (u) => {
		for (const name of ["event", "open", ...(rows ? ["from"] : [])]) u.searchParams.delete(name);
		u.searchParams.sort();
		return `${u.origin}${u.pathname}?${u.searchParams}`;
	};
	const here = new URL(location.href);
	return !link.hasAttribute("download") && !link.getAttribute("href").startsWith("#") && part(url) === part(here) && !link.closest(".tabs a[data-view]");
}

function open(url) {
	history.pushState(null, "", url);
	return show(url);
}

function keepUnfolded(href) {
	const url = new URL(href);
	url.searchParams.delete("open");
	for (const id of new URL(location.href).searchParams.getAll("open")) url.searchParams.append("open", id);
	return url.href;
}

// unfold shows the earlier messages of a turn in their place, or hides them.
async function unfold(link) {
	const id = link.dataset.unfold;
	const url = new URL(location.href);
	const shown = url.searchParams.getAll("open");
	url.searchParams.delete("open");
	for (const other of shown) if (other !== id) url.searchParams.append("open", other);
	if (!shown.includes(id)) url.searchParams.append("open", id);
	try {
		if (!replace(await load(url.href), `before-${id}`)) throw new Error("gone");
	} catch {
		location.assign(link.href);
		return;
	}
	history.replaceState(null, "", url);
	document.querySelector(`[data-unfold="${id}"]`).focus();
}

let asked = 0;

async function show(url) {
	const mine = ++asked;
	const id = new URL(url).searchParams.get("event");
	mark(id);
	let page;
	try {
		page = await load(url);
	} catch {
		location.assign(url);
		return;
	}
	if (mine !== asked) return; // another one was opened meanwhile
	const detail = document.getElementById("detail");
	const next = page.getElementById("detail");
	if (!next) {
		location.assign(url); // it may be gone
		return;
	}
	detail.replaceChildren(...[...next.childNodes].map((n) => document.importNode(n, true)));
	detail.scrollTop = 0;
	document.getElementById("split").classList.toggle("open", Boolean(id));
	for (const tab of document.querySelectorAll(".tabs a[data-view]")) {
		const to = new URL(tab.href);
		if (id) to.searchParams.set("event", id);
		else to.searchParams.delete("event");
		tab.href = to;
	}
	if (id && matchMedia("(max-width: 1000px)").matches) detail.scrollIntoView();
	rows?.layout();
	const title = detail.querySelector("h2");
	if (title) say(`Details of ${title.textContent}`);
}

function mark(id) {
	rows?.choose(id);
	for (const turn of document.querySelectorAll(".turn, .run")) turn.classList.toggle("chosen", turn.dataset.event === id);
}

// live keeps the page true: what has changed is patched in its place. Who was at
// the end stays there; others are told what is new.
function live() {
	const box = document.getElementById("session");
	const pill = document.getElementById("more");
	let busy = false;
	let again = false;
	let seen = Number(box.dataset.events);
	const count = () => {
		if (atEnd()) seen = Number(box.dataset.events);
		const fresh = Number(box.dataset.events) - seen;
		pill.hidden = fresh <= 0;
		if (fresh <= 0) return;
		pill.textContent = `${fresh} new ${fresh === 1 ? "event" : "events"}`;
		say(pill.textContent);
	};
	const changed = async (ids) => {
		if (ids && !ids.has(box.dataset.session)) return;
		if (busy) {
			again = true;
			return;
		}
		busy = true;
		const began = performance.now();
		try {
			await update();
			count();
		} catch {
			// The next change, or the next connection, brings it.
		}
		// A session that takes long to read is read less often.
		setTimeout(
			() => {
				busy = false;
				if (!again) return;
				again = false;
				changed(null);
			},
			3 * (performance.now() - began),
		);
	};
	stream(document.body.dataset.seq, changed, () => {}).go();
	pill.addEventListener("click", () => {
		if (follow("#thread [rel=next]")) return;
		toEnd();
		pill.hidden = true;
		seen = Number(box.dataset.events);
	});
	addEventListener("scroll", () => pill.hidden || !atEnd() || count(), { passive: true });
}

const last = () => [...document.querySelectorAll("#thread > .turn, #thread > .lanes")].at(-1);

// atEnd reports whether the end of what the session has done is in sight.
function atEnd() {
	if (rows) return rows.atEnd();
	const bottom = last()?.getBoundingClientRect().bottom ?? 0;
	return bottom <= innerHeight + 40 && !document.querySelector("#thread [rel=next]");
}

function toEnd() {
	if (rows) rows.toEnd();
	else last()?.scrollIntoView({ block: "end" });
}

async function update() {
	const mine = asked;
	const follow = atEnd();
	let url = location.href;
	let page = await load(url);
	if (!page.getElementById("session")) return location.reload(); // it was deleted
	if (follow && !new URL(url).searchParams.has("event")) {
		for (let later; (later = page.querySelector("#thread [rel=next]")); ) {
			url = new URL(later.getAttribute("href"), location.href).href;
			page = await load(url);
		}
	}
	if (mine !== asked) return update(); // an event was opened meanwhile
	if (rows) await rows.update(page);
	history.replaceState(null, "", url);
	patch(document.getElementById("session"), page.getElementById("session"), (node) => rows && node.id === "view");
	const grid = document.getElementById("rows");
	if (grid && !rows) rows = virtual(grid, open);
	if (follow) toEnd();
}

function keys() {
	onKey("1", () => follow('.tabs [data-view="thread"]'));
	onKey("2", () => follow('.tabs [data-view="tree"]'));
	onKey("3", () => follow('.tabs [data-view="timeline"]'));
	onKey("[", () => follow("#previous-session"));
	onKey("]", () => follow("#next-session"));
	onKey("Escape", () => follow("#close") || follow("#back"));
	onKey("+", () => follow("#queue-up") || thumb("thumb-up"));
	onKey("-", () => follow("#queue-down") || thumb("thumb-down"));
	onKey("f", async () => {
		await ready();
		document.getElementById("comment").focus();
	});
	const places = ".turn[data-event], .run[data-event]"; // a tool that ran stands in the turn that asked for it
	const move = (by, fits) => () => {
		const all = [...document.querySelectorAll(places)];
		const at = all.findLastIndex((t) => t.contains(document.activeElement) || t.classList.contains("current"));
		for (let i = at + by; i >= 0 && i < all.length; i += by) if (all[i].matches(fits)) return point(all[i]);
		if (fits === ".has-error") follow(by > 0 ? "#error-after" : "#error-before");
	};
	const errors = (by) => (rows ? () => rows.nextError(by) : move(by, ".has-error"));
	document.getElementById("session").addEventListener("click", (e) => {
		if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || !e.target.closest("#errors")) return;
		const first = document.querySelector("#thread .has-error[data-event]");
		if (!rows && (!first || document.querySelector("#thread [rel=prev]"))) return; // it stands on another page
		e.preventDefault();
		if (rows) rows.nextError(1, -1);
		else point(first);
	});
	onKey("e", () => errors(1)());
	onKey("E", () => errors(-1)());
	const here = /^#e-/.test(location.hash) && document.getElementById(location.hash.slice(1));
	if (here) point(here);
	if (rows) return;
	onKey("j", move(1, ".turn"));
	onKey("k", move(-1, ".turn"));
}

// point makes a turn, or a tool that ran, the one that keys start from.
function point(place) {
	for (const other of document.querySelectorAll("#thread .current")) other.classList.remove("current");
	place.classList.add("current");
	place.querySelector("a.open, a").focus({ preventScroll: true });
	place.scrollIntoView({ block: "nearest" });
}

// ready opens the record of the session where no form is shown.
async function ready() {
	if (!document.getElementById("feedback")) await open(document.getElementById("show-record").href);
}

async function thumb(id) {
	await ready();
	document.getElementById(id)?.click();
}
