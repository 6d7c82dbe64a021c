// Keys. A page adds its own with onKey; single keys can be switched off, and
// never act inside a field.
const actions = new Map();
let prefix = "";

export function onKey(key, action) {
	actions.set(key, action);
}

// follow goes where a link goes, if the page has it.
export function follow(selector) {
	const link = document.querySelector(selector);
	link?.click();
	return Boolean(link);
}

function enabled() {
	return localStorage.getItem("sessionspan-keys") !== "off";
}

export function keys() {
	const dialog = document.getElementById("keys");
	const show = () => dialog.showModal();
	document.getElementById("help").addEventListener("click", show);
	const box = document.getElementById("keys-on");
	box.checked = enabled();
	box.addEventListener("change", () => localStorage.setItem("sessionspan-keys", box.checked ? "on" : "off"));
	onKey("?", show);
	onKey("g s", () => follow('[data-key="g s"]'));
	onKey("g i", () => follow('[data-key="g i"]'));
	onKey("g e", () => follow('[data-key="g e"]'));
	onKey("/", () => {
		const field = document.getElementById("q");
		if (!field) location.assign("/#q");
		field?.focus();
	});
	if (location.hash === "#q") document.getElementById("q")?.focus();
	document.addEventListener("keydown", press);
}

function press(e) {
	if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
	// No letters go into a box to check, and a browser may leave the focus on that of
	// the closed list of keys.
	const field = e.target.closest?.("input:not([type=checkbox]), textarea, select");
	if (field) {
		if (e.key === "Escape") field.blur();
		return;
	}
	if (!enabled() && e.key.length === 1) return;
	const name = prefix ? `${prefix} ${e.key}` : e.key;
	prefix = "";
	const action = actions.get(name);
	if (action) {
		if (action(e) !== false) e.preventDefault();
	} else if (e.key === "g") {
		prefix = "g";
		setTimeout(() => (prefix = ""), 1500);
	}
}
