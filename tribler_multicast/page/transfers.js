/*
 * What is fetched and sent: coded transfers, and torrents where the node has its own.
 */
import { foreign, notice } from "./element.js";
import { bytes, duration, percent, rate } from "./format.js";
import { KeyedList } from "./keyed.js";
import { dataAddress, mediaKind } from "./media.js";
import { nameOf } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const SHOWN_FILES = 200;
const SHOWN_PEERS = 50;

export class Transfers {
    /** `act(method, path, body)` changes something; `play(name, kind, address)` plays. */
    constructor(root, { api, act, play, find }) {
        Object.assign(this, { root, api, act, play, find });
        this.asking = new Set(); // keys of rows that ask whether to remove
        this.pending = new Set();
        this.open = new Map(); // key -> what GET /transfers/ID said, {} before
        root.className = "ln-transfers";
        render(html`<div class="ln-bar"><h2 id="ln-transfers-title">${t("transfers")}</h2><span class="ln-count"></span></div><div class="ln-empty"></div>
            <div class="ln-rows" role="list" aria-labelledby="ln-transfers-title"></div>`, root);
        this.count = root.querySelector(".ln-count");
        [, this.empty, this.place] = root.children;
        this.list = new KeyedList(this.place, { tag: "div", draw: (row, item) => this.draw(row, item) });
    }

    show(model) {
        this.model = model;
        const transfers = model.get("transfers") ?? [];
        const torrents = model.error("downloads") ? [] : model.get("downloads") ?? [];
        const names = new Map((model.get("peers") ?? []).map((peer) => [peer.mid, nameOf(peer)]));
        const items = [...transfers.map((one) => this.codedItem(one, names)), ...torrents.map((one) => this.torrentItem(one))];
        const order = (item) => (item.moving ? 0 : item.state === "done" || item.state === "seeding" ? 2 : 1);
        items.sort((one, other) => order(one) - order(other));
        this.place.hidden = !items.length;
        const moving = items.reduce((sum, item) => sum + item.moving, 0);
        this.count.textContent = moving ? t("transfers_moving", { n: moving }) : "";
        const error = model.error("transfers");
        render(items.length ? nothing : error ? notice("error", t("transfers_fail"), error.message)
            : model.get("transfers") === null ? html`<p class="ln-loading" role="status">${t("loading")}</p>`
                : notice("empty", t("transfers_none"), t("transfers_none_do"), html`<button type="button" class="ln-button" @click=${this.find}>
                    ${t("transfers_find")}</button>`), this.empty);
        this.list.show(items);
    }

    codedItem(one, names) {
        const helpers = one.peers.filter(({ role }) => role === "helper").length;
        const key = `coded ${one.id}`;
        return { key, id: one.id, coded: true, name: one.name, size: one.size, role: one.role, state: one.state, progress: one.progress,
            up: one.up, down: one.down, totals: [one.total_up, one.total_down], eta: one.state === "active" ? one.eta_s : null, error: one.error,
            path: one.path, peers: one.peers.length, helpers, moving: one.state === "active" || one.state === "checking",
            ...this.own(key), detail: this.open.has(key) ? this.detail(one, names, this.open.get(key)) : null };
    }

    torrentItem(one) {
        const key = `torrent ${one.infohash}`;
        return { key, id: one.infohash, coded: false, name: one.name, size: one.size, role: "", state: one.state, progress: one.progress, up: one.up,
            down: one.down, totals: [one.total_up, one.total_down], eta: one.state === "downloading" ? one.eta_s : null, error: one.error,
            path: one.path, peers: one.peers, helpers: 0, moving: one.state === "downloading" || one.state === "metadata" || one.up > 0,
            ...this.own(key), detail: null };
    }

    own(key) { return { asking: this.asking.has(key), pending: this.pending.has(key) }; }

    detail(one, names, { token, files, files_total: total }) {
        return { token: token ?? null, files: (files ?? []).slice(0, SHOWN_FILES), more: Math.max(0, (total ?? 0) - SHOWN_FILES),
            peers: one.peers.slice(0, SHOWN_PEERS).map((peer) => ({ ...peer, name: names.get(peer.mid) ?? peer.mid.slice(0, 10) })) };
    }

    draw(row, item) {
        row.setAttribute("role", "listitem");
        row.className = "ln-transfer";
        row.dataset.id = item.id;
        row.dataset.state = item.state;
        const name = item.name || t("transfer_nameless");
        const known = item.progress !== null && item.state !== "metadata";
        render(html`<div class="ln-what"><div class="ln-headline">${foreign(name, "ln-title")}
                    <span class="ln-badge" data-state=${item.state}>${t(`state_${item.role === "source" && item.state === "active" ? "sending" : item.state}`)}</span></div>
                <progress max="1" .value=${known ? item.progress : 0} aria-label=${t("progress_of", { name: name.slice(0, 100) })}></progress>
                <p class="ln-sub ln-facts">${this.facts(item, known)}</p>
                ${item.error ? html`<p class="ln-error">${foreign(item.error)}</p>` : nothing}</div>
            <div class="ln-actions">${item.asking ? this.question(item, name) : this.buttons(item, name)}</div>
            ${item.detail ? this.more(item) : nothing}`, row);
    }

    facts(item, known) {
        const facts = [
            item.state === "done" || item.state === "seeding" ? "" : known ? percent(item.progress) : "", item.size === null ? "" : bytes(item.size),
            item.down ? `↓ ${rate(item.down)}` : "", item.up ? `↑ ${rate(item.up)}` : "",
            item.eta === null ? "" : t("eta", { time: duration(item.eta) }),
            item.peers ? t(item.role === "source" ? "receivers" : "with_peers", { n: item.peers }) : "",
            item.helpers ? t("helpers", { n: item.helpers }) : "",
            !item.moving && item.totals[0] ? t("sent_total", { amount: bytes(item.totals[0]) }) : ""].filter(Boolean);
        return facts.map((fact) => html`<span>${fact}</span>`);
    }

    buttons(item, name) {
        const button = (word, click, { label = word, pressed, kind = "" } = {}) => html`<button type="button" class="ln-button ln-small" data-kind=${kind}
            aria-label=${t(`${label}_of`, { name: name.slice(0, 100) })} aria-expanded=${pressed ?? nothing} ?disabled=${item.pending}
            @click=${click}>${t(word)}</button>`;
        const fetched = item.coded && item.role !== "source";
        const playable = fetched && mediaKind(item.name) && item.state !== "failed";
        return html`${playable ? button("play", () => this.playOne(item)) : nothing}
            ${fetched && (item.state === "active" || item.state === "waiting") ? button("pause", () => this.change(item, "PATCH", { state: "paused" })) : nothing}
            ${fetched && (item.state === "paused" || item.state === "failed") ? button("resume", () => this.change(item, "PATCH", { state: "active" }), { kind: "main" }) : nothing}
            ${item.coded ? button("details", () => this.toggle(item), { pressed: item.detail !== null }) : nothing}
            ${button("remove", () => this.ask(item, true))}`;
    }

    question(item, name) {
        const button = (word, click, kind = "") => html`<button type="button" class="ln-button ln-small" data-kind=${kind} ?disabled=${item.pending}
            @click=${click}>${t(word)}</button>`;
        const whole = item.state === "done" || item.role === "source";
        return html`<span class="ln-sub" role="alert">${t("remove_sure", { name: "" })}<span class="ln-hear">${name.slice(0, 100)}</span></span>
            ${button("remove_keep", () => this.change(item, "DELETE"), "main")}
            ${whole ? nothing : button("remove_delete", () => this.change(item, "DELETE", undefined, "?delete=true"), "danger")}
            ${button("cancel", () => this.ask(item, false))}`;
    }

    more({ id, name, detail, path }) {
        const { token, files, more, peers } = detail;
        const link = (file, text) => html`<a href=${dataAddress(this.api, { id, token }, file)} target="_blank" rel="noopener noreferrer">${text}</a>`;
        const single = files.length === 1 && files[0].path === name;
        return html`<div class="ln-detail">
            ${path ? html`<p class="ln-sub">${t("on_disk")} ${foreign(path)}</p>` : nothing}
            ${token === null ? html`<p class="ln-sub">${t("loading")}</p>` : !files.length ? html`<p class="ln-sub">${t("files_unknown")}</p>`
                : html`<ul class="ln-files">${files.map((file) => html`<li>${link(single ? null : file.path, foreign(file.path))}
                    <span class="ln-sub">${bytes(file.size)}</span>${mediaKind(file.path) ? html`<button type="button" class="ln-button ln-small"
                    @click=${() => this.play(file.path, mediaKind(file.path), dataAddress(this.api, { id, token }, single ? null : file.path))}>${t("play")}</button>` : nothing}</li>`)}
                    ${more ? html`<li class="ln-sub">${t("files_more", { n: more })}</li>` : nothing}</ul>`}
            ${peers.length ? html`<ul class="ln-with">${peers.map((peer) => html`<li>${foreign(peer.name)}
                <span class="ln-chip">${t(`role_${peer.role}`)}</span> <span class="ln-chip">${peer.way}</span>
                <span class="ln-sub">↑ ${rate(peer.up)} ↓ ${rate(peer.down)}</span></li>`)}</ul>` : nothing}</div>`;
    }

    redraw() { this.show(this.model); }

    ask(item, yes) {
        if (yes) this.asking.add(item.key);
        else this.asking.delete(item.key);
        this.redraw();
    }

    async toggle(item) {
        if (this.open.delete(item.key)) {
            this.redraw();
            return;
        }
        this.open.set(item.key, {});
        this.redraw();
        const known = await this.api.get(`/transfers/${item.id}`).catch(() => null);
        if (known && this.open.has(item.key)) this.open.set(item.key, known);
        this.redraw();
    }

    async playOne(item) {
        const known = await this.api.get(`/transfers/${item.id}`).catch(() => null);
        if (known) this.play(item.name, mediaKind(item.name), dataAddress(this.api, known));
    }

    async change(item, method, body, query = "") {
        this.pending.add(item.key);
        this.redraw();
        try {
            await this.act(method, `/${item.coded ? "transfers" : "downloads"}/${item.id}${query}`, body);
            if (method === "DELETE") this.open.delete(item.key);
        } catch { // told by act
        } finally {
            this.pending.delete(item.key);
            this.asking.delete(item.key);
            this.redraw();
        }
    }

    stop() { this.list.stop(); }
}
