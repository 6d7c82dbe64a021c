// Copies: what a button names, or the command.
import { onKey } from "./keys.mjs";
import { say } from "./fetch.mjs";

async function copy(button, read) {
	const label = button.textContent;
	try {
		await navigator.clipboard.writeText(await read());
		button.textContent = "Copied";
		say("Copied");
	} catch {
		button.textContent = "Not allowed";
		say("The browser did not allow it");
	}
	setTimeout(() => (button.textContent = label), 1500);
}

async function text(url) {
	const response = await fetch(url);
	if (!response.ok) throw new Error(String(response.status));
	return response.text();
}

export function copying() {
	document.addEventListener("click", (e) => {
		const button = e.target.closest("button");
		if (button?.dataset.from) copy(button, () => text(button.dataset.from));
		else if (button?.id === "copy-curl") copy(button, () => document.getElementById("curl-line").textContent);
	});
	const press = (id) => () => document.getElementById(id)?.click();
	onKey("y", () => (document.getElementById("copy-event") ?? document.getElementById("copy-json"))?.click());
	onKey("c", press("copy-curl"));
}
