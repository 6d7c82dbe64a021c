// Times: the page says them in UTC; scripts show those of the reader's clock, and how
// long ago the sessions of the list were. The switch stands in the list of keys.
const zero = (n, digits = 2) => String(n).padStart(digits, "0");
const day = (d) => `${d.getFullYear()}-${zero(d.getMonth() + 1)}-${zero(d.getDate())}`;
const hour = (d) => `${zero(d.getHours())}:${zero(d.getMinutes())}:${zero(d.getSeconds())}`;
const minute = 60_000;

const local = () => localStorage.getItem("sessionspan-times") !== "utc";

function ago(ms) {
	if (ms < minute) return "just now";
	if (ms < 60 * minute) return `${Math.floor(ms / minute)} min ago`;
	return `${Math.floor(ms / (60 * minute))} h ago`;
}

// localize shows the times of a page, or of a part of one.
export function localize(root) {
	if (!local()) return;
	for (const time of root.querySelectorAll("time[datetime]")) {
		const d = new Date(time.dateTime);
		if (Number.isNaN(d.getTime())) continue;
		time.title = `${d.toISOString().replace("T", " ").replace("Z", "")} UTC`;
		const past = Date.now() - d;
		if (time.classList.contains("row-time")) {
			const [first, sub] = [time.firstChild, time.querySelector(".sub")];
			if (past >= 0 && past < 24 * 60 * minute) {
				first.data = `${ago(past)} `;
				sub.textContent = `${day(d)} ${hour(d)}`;
			} else {
				first.data = `${hour(d)} `;
				sub.textContent = day(d);
			}
		} else time.textContent = `${day(d)} ${hour(d)}${time.dateTime.includes(".") ? `.${zero(d.getMilliseconds(), 3)}` : ""}`;
	}
}

export function times() {
	const root = document.documentElement;
	root.dataset.times = local() ? "local" : "utc";
	const box = document.getElementById("times-local");
	box.checked = local();
	box.addEventListener("change", () => {
		localStorage.setItem("sessionspan-times", box.checked ? "local" : "utc");
		location.reload();
	});
	localize(document);
	setInterval(() => document.hidden || localize(document), 30_000);
}
