// What the query of the list found in this session: its words are marked, and keys lead
// from event to event. The marks are no elements, so whoever changes the page needs not
// know of them.
import { onKey } from "./keys.mjs";

// most bounds the marks: a page with more is not read by them.
const most = 3000;

export function found(open) {
	const box = document.getElementById("matches");
	if (!box) return;
	const ids = JSON.parse(box.dataset.events);
	const step = (by) => {
		if (ids.length === 0) return false;
		const url = new URL(location.href);
		const at = ids.indexOf(url.searchParams.get("event"));
		const next = at < 0 && by < 0 ? ids.length - 1 : (at + by + ids.length) % ids.length;
		url.searchParams.set("event", ids[next]);
		url.hash = "";
		open(url.href);
		document.getElementById("match-at").textContent = `${next + 1} of `;
		document.getElementById(`e-${ids[next]}`)?.scrollIntoView({ block: "center" });
	};
	onKey("n", () => step(1));
	onKey("N", () => step(-1));
	for (const [id, by] of [
		["match-next", 1],
		["match-previous", -1],
	]) {
		document.getElementById(id)?.addEventListener("click", (e) => {
			if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey) return;
			e.preventDefault();
			step(by);
		});
	}
	mark(JSON.parse(box.dataset.words));
}

// pattern finds words as the search does: without case, and whatever stands between them.
function pattern(words) {
	const parts = words.map((text) => {
		const prefix = text.endsWith("*");
		const tokens = text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
		return tokens.join("[^\\p{L}\\p{N}\\p{M}]+") + (prefix ? "[\\p{L}\\p{N}\\p{M}]*" : "(?![\\p{L}\\p{N}\\p{M}])");
	});
	return new RegExp(`(?<![\\p{L}\\p{N}\\p{M}])(?:${parts.join("|")})`, "giu");
}

function mark(words) {
	if (words.length === 0 || !globalThis.CSS?.highlights) return;
	const root = document.getElementById("session");
	const find = pattern(words);
	const highlight = new Highlight();
	CSS.highlights.set("found", highlight);
	const all = () => {
		highlight.clear();
		const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
		for (let node = walk.nextNode(); node && highlight.size < most; node = walk.nextNode()) {
			for (const hit of node.data.matchAll(find)) {
				const range = new Range();
				range.setStart(node, hit.index);
				range.setEnd(node, hit.index + hit[0].length);
				highlight.add(range);
			}
		}
	};
	all();
	let timer = 0;
	new MutationObserver(() => {
		clearTimeout(timer);
		timer = setTimeout(all, 150);
	}).observe(root, { childList: true, characterData: true, subtree: true });
}
