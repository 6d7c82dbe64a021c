// A session: the panel of an event without loading all anew, virtual rows, live
// changes, keys.
import { load, replace, say, stream } from "./fetch.mjs";
import { follow, onKey } from "./keys.mjs";
import { virtual } from "./rows.mjs";

let rows;

export function session() {
	const grid = document.getElementById("rows");
	if (grid) rows = virtual(grid, open);
	panel();
	live();
	keys();
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
	const part = (u) => `${u.origin}${u.pathname}?${u.searchParams.get("view") ?? ""}&${u.searchParams.get("from") ?? ""}`;
	const here = new URL(location.href);
	if (rows) url.searchParams.delete("from"), here.searchParams.delete("from");
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
	for (const turn of document.querySelectorAll(".turn")) turn.classList.toggle("chosen", turn.dataset.event === id);
}

// live says when the session has changed; one that runs is shown anew at once,
// unless the reader is writing.
function live() {
	const box = document.getElementById("session");
	const button = document.getElementById("changed");
	stream(
		document.body.dataset.seq,
		(ids) => {
			if (ids && !ids.has(box.dataset.session)) return;
			const writing = document.activeElement?.closest("form.feedback");
			if (box.dataset.status === "running" && !writing && scrollY < 40) location.reload();
			else button.hidden = false;
			say("The session has changed");
		},
		() => {},
	).go();
	button.addEventListener("click", (e) => {
		e.preventDefault();
		location.reload();
	});
}

function keys() {
	onKey("1", () => follow('.tabs [data-view="thread"]'));
	onKey("2", () => follow('.tabs [data-view="tree"]'));
	onKey("3", () => follow('.tabs [data-view="timeline"]'));
	onKey("Escape", () => follow("#close") || follow("#back"));
	onKey("+", () => thumb("thumb-up"));
	onKey("-", () => thumb("thumb-down"));
	onKey("f", async () => {
		await ready();
		document.getElementById("comment").focus();
	});
	if (rows) return;
	const turns = () => [...document.querySelectorAll(".turn[data-event]")];
	const move = (by, fits = () => true) => () => {
		const all = turns();
		const at = all.findIndex((t) => t.contains(document.activeElement) || t.classList.contains("current"));
		for (let i = at + by; i >= 0 && i < all.length; i += by) {
			if (!fits(all[i])) continue;
			all[at]?.classList.remove("current");
			all[i].classList.add("current");
			all[i].querySelector("a.open").focus();
			all[i].scrollIntoView({ block: "nearest" });
			return;
		}
	};
	onKey("j", move(1));
	onKey("k", move(-1));
	const failed = (t) => t.classList.contains("has-error");
	onKey("e", move(1, failed));
	onKey("E", move(-1, failed));
}

// ready opens the record of the session where no form is shown.
async function ready() {
	if (!document.getElementById("feedback")) await open(document.getElementById("show-record").href);
}

async function thumb(id) {
	await ready();
	document.getElementById(id)?.click();
}
