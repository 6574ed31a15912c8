/*
 * The "Local network" page.
 *
 * mount(root, {api, key}) shows the peers in an element and keeps them up to date. Whatever comes from the network is
 * put on the page as text, never as HTML.
 */

const REFRESH = 10000; // milliseconds between two looks without an event: round trips and "seen" go on changing
const ANNOUNCEMENT = '{"topic": "multicast_announcement"';
const COALESCE = 100; // milliseconds; a hundred nodes that arrive together are one redraw
const RETRY_LONGEST = 10000; // milliseconds between two attempts to reach a node that is gone

/** An element with a class, a text and children. */
function make(tag, { name = "", text = "", title = "" } = {}, ...children) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    if (title) element.title = title;
    element.append(...children);
    return element;
}

/** How long ago a moment was, in words. */
function ago(seconds) {
    const passed = Math.max(0, Date.now() / 1000 - seconds);
    if (passed < 15) return "just now";
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]) {
        const count = Math.floor(passed / size);
        if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
    }
    return "just now";
}

/** A round trip in words. */
function roundTrip(milliseconds) {
    if (milliseconds === null) return "–";
    return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
}

/** An error that the page explains. */
class ApiError extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

class Page {
    constructor(root, api, key) {
        this.root = root;
        this.api = api;
        this.key = key;
        this.events = null;
        this.retry = 500;
        this.timers = new Set();
        this.build();
    }

    /** The parts of the page that stay. */
    build() {
        this.connection = make("span", { name: "connection" });
        this.connection.setAttribute("role", "status");
        this.me = make("p", { name: "me" });
        this.problem = make("div", { name: "problem" });
        this.problem.setAttribute("role", "alert");
        this.problem.hidden = true;
        this.peers = make("section", { name: "peers" });
        this.checks = make("section", { name: "checks" });
        this.root.replaceChildren(
            make("header", {}, make("h1", { text: "Local network" }), this.connection),
            this.me, this.problem, this.peers, this.checks);
        this.setConnection("waiting", "Connecting…");
    }

    setConnection(state, text) {
        this.connection.dataset.state = state;
        this.connection.textContent = text;
    }

    async call(path) {
        const headers = this.key ? { "X-Api-Key": this.key } : {};
        const response = await fetch(this.api + path, { headers, credentials: "same-origin" });
        const answer = await response.json().catch(() => ({}));
        if (!response.ok) throw new ApiError(response.status, answer?.error?.message ?? `HTTP ${response.status}`);
        return answer;
    }

    /** Connect, and again whenever the connection is lost. */
    async connect() {
        this.events?.close();
        this.events = null;
        try {
            await this.refresh();
        } catch (error) {
            this.explain(error);
            return;
        }
        const query = this.key ? `?key=${encodeURIComponent(this.key)}` : "";
        const events = new EventSource(`${this.api}/events${query}`);
        this.events = events;
        events.onopen = () => {
            this.retry = 500;
            this.problem.hidden = true;
            this.setConnection("live", "Live");
            this.soon(); // what happened between the first look and this moment
        };
        events.onmessage = ({ data }) => {
            // An announcement changes nothing on this page, and may be half a megabyte: not even parsed.
            if (!data.startsWith(ANNOUNCEMENT)) this.soon();
        };
        events.onerror = () => {
            events.close();
            if (this.events === events) this.explain(new TypeError("the event stream ended"));
        };
    }

    /** Say what is wrong, and what to do. */
    explain(error) {
        this.root.classList.add("stale");
        if (error instanceof ApiError && error.status === 401) {
            this.setConnection("lost", "Not connected");
            this.say("The key in the address of this page is wrong.",
                "Open the page with the address that the node printed when it started: it has a new key after each start.");
            return; // no retry helps
        }
        this.setConnection("lost", "Connection lost");
        if (error instanceof ApiError) {
            this.say("The node answers with an error.", error.message);
        } else {
            this.say("The connection to the node is lost.",
                "Is it still running? This page goes on trying. After a restart the node has a new address.");
        }
        this.later(() => this.connect(), this.retry);
        this.retry = Math.min(this.retry * 2, RETRY_LONGEST);
    }

    say(what, advice) {
        this.problem.replaceChildren(make("strong", { text: what }), make("span", { text: advice }));
        this.problem.hidden = false;
    }

    later(action, milliseconds) {
        const timer = setTimeout(() => {
            this.timers.delete(timer);
            action();
        }, milliseconds);
        this.timers.add(timer);
    }

    /** Look again in a moment; many calls in that moment are one. */
    soon() {
        if (this.waiting) return;
        this.waiting = true;
        this.later(() => {
            this.waiting = false;
            // A failure here is told by the event stream, which ends at the same time.
            this.refresh().catch(() => {});
        }, COALESCE);
    }

    /** Fetch everything and show it. */
    async refresh() {
        const [status, { peers }] = await Promise.all([this.call("/status"), this.call("/peers")]);
        this.root.classList.remove("stale");
        this.showMe(status);
        this.showPeers(peers, status);
    }

    showMe(status) {
        const used = status.interfaces.filter((item) => item.joined.length > 0).map((item) => item.name);
        this.me.replaceChildren(
            make("span", { text: "This node: " }),
            make("strong", { text: status.nickname || status.mid.slice(0, 10), title: `mid ${status.mid}` }),
            make("span", { text: used.length ? ` on ${used.join(", ")}` : " on no network" }));
    }

    showPeers(peers, status) {
        const online = peers.filter((peer) => peer.is_local && peer.online).length;
        document.title = online ? `(${online}) Local network` : "Local network";
        if (!peers.length) {
            this.showEmpty(status);
            return;
        }
        this.checks.replaceChildren();
        const head = make("tr", {}, ...["Name", "Where", "Address", "Round trip", "Seen", "Offers"].map((text) => {
            const cell = make("th", { text });
            cell.scope = "col";
            return cell;
        }));
        this.peers.replaceChildren(make("table", {}, make("thead", {}, head),
            make("tbody", {}, ...peers.map((peer) => this.row(peer)))));
    }

    /** One peer as a row of the table. */
    row(peer) {
        const [first, ...others] = peer.addresses;
        const address = make("td", { name: "address", text: first ? first.ip : "–" });
        address.dataset.label = "Address";
        if (others.length) address.title = peer.addresses.map((item) => `${item.ip} port ${item.port}`).join("\n");
        const where = make("td", { name: "where" }, this.badge(peer));
        if (peer.interface) where.append(make("span", { name: "interface", text: peer.interface }));
        const cells = [
            make("td", { name: "name" },
                make("bdi", { name: peer.nickname ? "nickname" : "nickname nameless", text: peer.nickname || "no name" }),
                make("code", { text: peer.mid.slice(0, 10), title: `mid ${peer.mid}` })),
            where, address,
            this.labelled("Round trip", make("td", { text: peer.online ? roundTrip(peer.rtt_ms) : "–" })),
            this.labelled("Seen", make("td", {
                text: peer.online ? "now" : ago(peer.last_seen),
                title: new Date(peer.last_seen * 1000).toLocaleString(),
            })),
            this.labelled("Offers", make("td", { text: peer.capabilities.join(", ") || "–" })),
        ];
        const row = make("tr", { name: peer.online ? "online" : "offline" }, ...cells);
        row.dataset.mid = peer.mid;
        return row;
    }

    labelled(label, cell) {
        cell.dataset.label = label;
        return cell;
    }

    /** Green "local": verified on this network and online. Black "local": it was, and is not online. */
    badge(peer) {
        if (peer.is_local && peer.online) {
            return make("span", { name: "local local-online", text: "local", title: "On your network now, verified" });
        }
        if (peer.was_local && !peer.online) {
            return make("span", { name: "local local-offline", text: "local", title: "Was on your network, is offline" });
        }
        return make("span", { text: peer.online ? "elsewhere" : "–" });
    }

    /** Nobody is here: say what to do, and keep the findings of the doctor if they were asked for. */
    showEmpty(status) {
        const unused = !status.interfaces.some((item) => item.joined.length > 0);
        const onlyLoopback = !unused && status.interfaces.every((item) => item.name === "lo" || !item.joined.length);
        const steps = make("ol", {},
            make("li", { text: "Start a node on another computer in the same network: the same program, the same command." }),
            make("li", { text: "It shows up here by itself, usually within a second. There is nothing to configure." }),
            make("li", { text: "Still nothing? Check your network below. Guest Wi-Fi often keeps its users apart." }));
        const box = make("div", { name: "empty" }, make("h2", { text: "Nobody else is here yet" }), steps);
        if (unused) {
            box.append(make("p", { name: "hint", text: "This node is on no network now. Is a cable or Wi-Fi connected?" }));
        } else if (onlyLoopback) {
            box.append(make("p", {
                name: "hint",
                text: "This node uses the interface lo only (setting interfaces): it sees nodes on this computer, no others.",
            }));
        }
        this.peers.replaceChildren(box);
        if (!this.checks.hasChildNodes()) {
            const button = make("button", { text: "Check my network" });
            button.type = "button";
            button.addEventListener("click", () => this.examine(button));
            this.checks.replaceChildren(button);
        }
    }

    /** Show what the doctor finds. */
    async examine(button) {
        button.disabled = true;
        button.textContent = "Checking…";
        const list = make("ul", { name: "findings" });
        try {
            const { findings } = await this.call("/doctor");
            for (const finding of findings) {
                const item = make("li", {}, make("span", { name: "severity", text: finding.severity }),
                    make("span", { name: "what", text: finding.what }));
                item.dataset.severity = finding.severity;
                if (finding.advice) item.append(make("span", { name: "advice", text: finding.advice }));
                list.append(item);
            }
        } catch (error) {
            list.append(make("li", { text: `The check failed: ${error.message}` }));
        }
        button.disabled = false;
        button.textContent = "Check again";
        if (button.isConnected) this.checks.replaceChildren(button, list);
    }

    start() {
        this.connect();
        this.clock = setInterval(() => {
            if (this.events?.readyState === EventSource.OPEN && !document.hidden) this.soon();
        }, REFRESH);
    }

    stop() {
        clearInterval(this.clock);
        for (const timer of this.timers) clearTimeout(timer);
        this.events?.close();
        this.events = null;
        this.root.replaceChildren();
    }
}

/**
 * Show the page in an element.
 * @param {HTMLElement} root where
 * @param {{api?: string, key?: string}} options where the API is, and its key (none: the cookie of the host counts)
 * @returns {() => void} takes the page away again
 */
export function mount(root, { api = "/api/multicast", key = "" } = {}) {
    const page = new Page(root, api, key);
    page.start();
    return () => page.stop();
}

const shell = document.querySelector("[data-local-network]");
if (shell) mount(shell, { key: new URLSearchParams(location.search).get("key") ?? "" });
