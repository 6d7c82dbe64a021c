// The sessions of the list that are selected: boxes, what can be done with them, keys.
import { onKey } from "./keys.mjs";

const boxes = () => [...document.querySelectorAll('#sessions input[name="id"]')];

// chosen returns the ids of what is selected.
export const chosen = () => new Set(boxes().filter((b) => b.checked).map((b) => b.value));

// keepChosen selects in new rows what was selected in the old ones.
export function keepChosen(rows, ids) {
	for (const row of rows) {
		const box = row.querySelector('input[name="id"]');
		if (box) box.checked = ids.has(box.value);
	}
}

export function selection() {
	const bar = document.getElementById("bulk");
	if (!bar) return;
	const all = document.getElementById("select-all");
	const show = () => {
		const n = chosen().size;
		bar.classList.toggle("some", n > 0);
		document.getElementById("bulk-count").textContent = document.getElementById("bulk-all").checked ? "All of the list:" : `${n} selected:`;
		document.getElementById("bulk-compare").disabled = n !== 2;
		all.checked = n > 0 && n === boxes().length;
		all.indeterminate = n > 0 && !all.checked;
	};
	document.addEventListener("change", (e) => {
		if (e.target === all) for (const box of boxes()) box.checked = all.checked;
		if (e.target === all || e.target.id === "bulk-all" || e.target.matches('#sessions input[name="id"]')) show();
	});
	onKey("x", () => {
		const box = document.querySelector('#sessions tr.current input[name="id"]');
		if (!box) return;
		box.checked = !box.checked;
		show();
	});
	addEventListener("pageshow", show); // a browser fills forms anew on the way back
	show();
}
