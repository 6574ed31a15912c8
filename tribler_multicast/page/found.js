/*
 * A list of what others have: results of a search, and streams.
 */
import { foreign } from "./element.js";
import { bytes } from "./format.js";
import { idOf } from "./getting.js";
import { KeyedList } from "./keyed.js";
import { nameOf } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const NAMED = 3; // holders that are named; the others are a figure

export class FoundList {
    constructor(root, getting) {
        this.getting = getting;
        root.className = "ln-found";
        this.root = root;
        root.setAttribute("role", "list");
        this.list = new KeyedList(root, { tag: "div", draw: (row, item) => this.draw(row, item) });
        this.results = new Map();
    }

    show(results, peers) {
        const known = new Map(peers.map((peer) => [peer.mid, peer]));
        this.results = new Map(results.map((result) => [`${result.kind} ${idOf(result)}`, result]));
        this.root.hidden = !results.length;
        this.list.show([...this.results].map(([key, result]) => {
            const mids = result.holders?.length ? result.holders : result.peers;
            return { key, kind: result.kind, name: result.name, size: result.size, has: Boolean(result.holders?.length),
                who: mids.slice(0, NAMED).map((mid) => (known.has(mid) ? nameOf(known.get(mid)) : mid.slice(0, 10))),
                more: Math.max(0, mids.length - NAMED), ...this.getting.of(result), plays: this.getting.canPlay(result) };
        }));
    }

    draw(row, item) {
        row.setAttribute("role", "listitem");
        row.className = "ln-result";
        const result = () => this.results.get(item.key);
        const button = (word, label, kind, play) => html`<button type="button" class="ln-button ln-small" data-kind=${kind}
            aria-label=${t(label, { name: item.name.slice(0, 100) })} ?disabled=${item.state === "asked"}
            @click=${() => this.getting.get(result(), { play })}>${t(word)}</button>`;
        render(html`<div class="ln-what">${foreign(item.name, "ln-title")}
                <p class="ln-sub"><span class="ln-chip">${t(`kind_${item.kind}`)}</span> ${item.size === null ? nothing : bytes(item.size)}
                ${item.who.length ? html`<span>${t(item.has ? "held_by" : "known_to")} ${item.who.map((name, place) => html`${place ? ", " : ""}${foreign(name)}`)}${item.more
                    ? ` +${item.more}` : ""}</span>` : nothing}</p></div>
            <div class="ln-actions"><span class="ln-fate" role="status" data-state=${item.state}>${item.text}</span>
                ${item.plays ? button("play", "play_of", "main", true) : nothing}
                ${item.kind === "stream" ? nothing : button(item.state === "failed" ? "again" : "get", "get_of", item.plays ? "" : "main", false)}</div>`, row);
    }

    stop() { this.list.stop(); }
}
