// patch makes an element what it is on a newer page. Only what differs is
// touched, so that the rest keeps the focus, what is selected, how far it is
// scrolled, and what the reader has opened or written.
export function patch(old, next, skip) {
	if (skip?.(old)) return;
	attributes(old, next);
	const wanted = new Set([...next.children].map(idOf));
	const mine = new Map([...old.children].map((n) => [idOf(n), n]));
	const stays = (node) => Boolean(idOf(node)) && wanted.has(idOf(node));
	let at = old.firstChild;
	const drop = () => {
		const gone = at;
		at = at.nextSibling;
		gone.remove();
	};
	for (const node of next.childNodes) {
		while (at && idOf(at) && !stays(at)) drop();
		let match = idOf(node) && mine.get(idOf(node));
		if (match) while (at && at !== match && !stays(at)) drop();
		else if (at && !idOf(node) && !idOf(at) && at.nodeName === node.nodeName) match = at;
		if (!match || match.nodeName !== node.nodeName) {
			old.insertBefore(document.importNode(node, true), at);
			continue;
		}
		if (match === at) at = at.nextSibling;
		else old.insertBefore(match, at);
		if (node.nodeType === Node.ELEMENT_NODE) patch(match, node, skip);
		else if (match.data !== node.data) match.data = node.data;
	}
	while (at) drop();
}

// A form's property of the name is one of its fields.
const idOf = (node) => node.getAttribute?.("id");

// What scripts and readers set stays.
const kept = ["open", "hidden", "style"];

function attributes(old, next) {
	const current = old.classList.contains("current");
	for (const name of old.getAttributeNames()) if (!next.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
	for (const name of next.getAttributeNames()) {
		const value = next.getAttribute(name);
		if (!kept.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
	}
	if (current) old.classList.add("current");
}
