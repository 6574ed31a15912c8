/**
 * Marks in Tribler's own tables: `local` beside the address of a peer that is verified on the local network and online, and
 * beside the name of a search result that such a peer has.
 *
 * React owns these tables. So no node is put into them: a mark is an attribute that React does not know of, and a style
 * that shows it. React leaves such attributes alone, and uses rows again for other data, so every change of a table has
 * all its marks made anew.
 */

const ATTRIBUTE = "data-local-network";

/** Milliseconds between two looks at who is there, while a list of peers is on the screen and looked at. */
const INTERVAL = 2_000;

/** The same after calls that failed: a Tribler that is off, or has the plugin switched off, is not asked all the time. */
const LONGEST_INTERVAL = 60_000;

/**
 * Milliseconds until the local network is asked again for what is on the screen, because a neighbour may have got it meanwhile; twice as
 * long each time, at most so long: each search speaks to all neighbours.
 */
const SEARCH_AGAIN = 10_000;
const LONGEST_SEARCH_AGAIN = 300_000;

/** Searches whose answers are kept: going back to one speaks to nobody. */
const KEPT_SEARCHES = 20;

const PEERS_TAB = '[role="tabpanel"][data-state="active"][id$="-content-peers"]';

/** A peer as Tribler writes it: address (port). */
const PEER = /^\s*(\S+) \(\d+\)\s*$/u;

const INFOHASH = /^[0-9a-f]{40}$/iu;

/** How far up from a row React keeps the key that Tribler gave it, which is the infohash. */
const KEY_DEPTH = 4;

const STYLE = `
    [${ATTRIBUTE}]::before, [${ATTRIBUTE}]::after {
        color: #15803d; font-size: 0.75rem; font-weight: 600; white-space: nowrap; text-decoration: none;
    }
    [${ATTRIBUTE}][${ATTRIBUTE}-at="end"]::after { content: attr(${ATTRIBUTE}); margin-inline-start: 0.5rem; }
    [${ATTRIBUTE}][${ATTRIBUTE}-at="start"]::before { content: attr(${ATTRIBUTE}); margin-inline-end: 0.5rem; }
    .dark [${ATTRIBUTE}]::before, .dark [${ATTRIBUTE}]::after { color: #4ade80; }
`;

/**
 * One spelling for one address: no scope, no IPv4 in the clothes of IPv6.
 * @param {string} address
 * @returns {string}
 */
export function plainAddress(address) {
    return address.toLowerCase().replace(/%.*$/u, "").replace(/^::ffff:(?=[\d.]+$)/u, "");
}

/**
 * The infohash of a row of search results, "" when it cannot be told. Names can't tell: anybody can give a torrent any name.
 * @param {HTMLTableRowElement} row
 * @returns {string}
 */
export function infohashOf(row) {
    const said = row.dataset.localNetworkRow;
    if (said !== undefined) return INFOHASH.test(said) ? said.toLowerCase() : "";
    const name = Object.keys(row).find((key) => key.startsWith("__reactFiber$"));
    let fiber = name === undefined ? null : row[name];
    for (let up = 0; fiber && up < KEY_DEPTH; up += 1, fiber = fiber.return) {
        if (INFOHASH.test(fiber.key ?? "")) return fiber.key.toLowerCase();
    }
    return "";
}

/** Puts a mark at an element, or takes it away. */
function mark(element, word, at) {
    if (!element) return;
    if (word === "") {
        element.removeAttribute(ATTRIBUTE);
        element.removeAttribute(`${ATTRIBUTE}-at`);
    } else if (element.getAttribute(ATTRIBUTE) !== word) {
        element.setAttribute(`${ATTRIBUTE}-at`, at);
        element.setAttribute(ATTRIBUTE, word);
    }
}

/** Gets an answer of the plugin; null when there is none, whatever the reason. */
async function ask(path) {
    try {
        const response = await fetch(`/api/multicast${path}`, { signal: AbortSignal.timeout(30_000) });
        return response.ok ? await response.json() : null;
    } catch {
        return null;
    }
}

export class Marks {
    /** @param {() => void} changed called when what is known changed, so that marks are to be made anew. */
    constructor(changed) {
        this.changed = changed;
        this.addresses = new Set();
        this.interval = INTERVAL;
        this.askedAt = -Infinity;
        this.asking = false;
        this.timer = 0;
        this.searches = new Map();
        this.searchTimer = 0;
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }

    /**
     * Makes all marks of what is on the screen.
     * @param {{path: string, query: URLSearchParams}} place where in Tribler this is.
     * @param {string} word
     */
    update(place, word) {
        if (place.path.startsWith("/downloads/")) this.updatePeers(word);
        else if (place.path === "/search") this.updateSearch((place.query.get("query") ?? "").trim(), word);
    }

    updatePeers(word) {
        const panel = document.querySelector(PEERS_TAB);
        if (panel === null) return;
        const said = panel.querySelectorAll("[data-local-network-ip]");
        const cells = said.length > 0 ? said : panel.querySelectorAll("tbody td:first-child > span");
        let peers = 0;
        for (const cell of cells) {
            const address = cell.dataset.localNetworkIp ?? PEER.exec(cell.textContent)?.[1] ?? "";
            if (address !== "") peers += 1;
            mark(cell, this.addresses.has(plainAddress(address)) ? word : "", "end");
        }
        if (peers > 0) this.askPeers();
    }

    /** Asks who is there, if that is due; and sees to it that it is asked again. */
    async askPeers() {
        const wait = this.askedAt + this.interval - performance.now();
        if (this.asking) return;
        clearTimeout(this.timer);
        if (wait > 0 || document.hidden) {
            this.timer = setTimeout(this.changed, Math.max(wait, INTERVAL));
            return;
        }
        this.asking = true;
        const answer = await ask("/peers?local=true&online=true");
        this.asking = false;
        this.askedAt = performance.now();
        this.interval = answer === null ? Math.min(this.interval * 2, LONGEST_INTERVAL) : INTERVAL;
        this.addresses = new Set((answer?.peers ?? []).filter((peer) => peer.is_local && peer.online)
            .flatMap((peer) => peer.addresses.map(({ ip }) => plainAddress(ip))));
        this.changed();
    }

    updateSearch(text, word) {
        if (text === "") return;
        const rows = document.querySelectorAll("#root table tbody tr");
        let results = 0;
        for (const row of rows) {
            const infohash = infohashOf(row);
            if (infohash === "") continue;
            results += 1;
            const has = this.searches.get(text)?.infohashes.has(infohash) ?? false;
            mark(row.querySelector("td > span.line-clamp-1"), has ? word : "", "start");
        }
        if (results > 0) this.search(text);
    }

    /** Asks the local network, if that is due; and sees to it that it is asked again while the results are on the screen. */
    async search(text) {
        const state = this.searches.get(text) ?? { infohashes: new Set(), due: 0, wait: SEARCH_AGAIN, asking: false };
        this.searches.set(text, state);
        if (this.searches.size > KEPT_SEARCHES) this.searches.delete(this.searches.keys().next().value);
        if (state.asking) return;
        const wait = state.due - performance.now();
        if (wait > 0 || document.hidden) {
            clearTimeout(this.searchTimer);
            this.searchTimer = setTimeout(this.changed, Math.max(wait, SEARCH_AGAIN));
            return;
        }
        state.asking = true;
        const answer = await ask(`/search?query=${encodeURIComponent(text)}`);
        state.asking = false;
        state.due = performance.now() + state.wait;
        state.wait = Math.min(state.wait * 2, LONGEST_SEARCH_AGAIN);
        if (answer !== null) {
            const had = answer.results.filter((result) => result.infohash !== null && result.holders.length > 0);
            state.infohashes = new Set(had.map((result) => result.infohash.toLowerCase()));
        }
        this.changed();
    }
}
