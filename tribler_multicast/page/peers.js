/*
 * The nodes that are and were here, as a table.
 */
import { foreign, notice } from "./element.js";
import { ago, bytes, clock, milliseconds, rate, short } from "./format.js";
import { KeyedList } from "./keyed.js";
import { inOrder, localState } from "./naming.js";
import { t } from "./strings.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const COLUMNS = ["name", "where", "address", "rtt", "activity", "total", "offers", "friend"];
const SHOWN_CAPABILITIES = 8; // what a hostile node may list is longer

export class Peers {
    /** `act(method, path)` changes something, `set({name: value})` settings; `check()` opens the doctor. */
    constructor(root, { act, set, check }) {
        Object.assign(this, { act, set, check });
        this.filter = "";
        this.peers = [];
        this.root = root;
        this.pending = new Set(); // mids of which a change is on its way
        root.className = "ln-peers";
        render(html`
            <div class="ln-bar">
                <h2 id="ln-peers-title">${t("peers")}</h2><span class="ln-count"></span>
                <input class="ln-filter" type="search" placeholder=${t("peer_filter")} aria-label=${t("peer_filter")}
                    @input=${(event) => this.look(event.target.value)}>
            </div>
            <div class="ln-empty"></div>
            <table class="ln-table" role="table" aria-labelledby="ln-peers-title">
                <thead role="rowgroup"><tr role="row">${COLUMNS.map((name) => html`
                    <th role="columnheader" scope="col" class="ln-${name}">${t(`col_${name}`)}</th>`)}</tr></thead>
                <tbody role="rowgroup"></tbody>
            </table>`, root);
        this.bar = root.querySelector(".ln-bar");
        this.count = root.querySelector(".ln-count");
        this.empty = root.querySelector(".ln-empty");
        this.table = root.querySelector("table");
        this.list = new KeyedList(root.querySelector("tbody"), {
            tag: "tr", key: ({ mid }) => mid, view: (peer) => this.item(peer), draw: (row, item) => this.draw(row, item) });
    }

    look(text) {
        this.filter = text.trim().toLowerCase();
        this.showAll(this.peers, this.status);
    }

    show(model) {
        this.off = model.get("settings")?.find(({ name }) => name === "enabled")?.value === false;
        this.showAll(model.get("peers") ?? [], model.get("status"));
    }

    /** Show these. */
    showAll(peers, status) {
        this.peers = peers;
        this.status = status;
        const found = this.filter ? peers.filter((peer) => this.matches(peer)) : peers;
        const online = peers.reduce((sum, peer) => sum + (localState(peer) === "online"), 0);
        this.count.textContent = peers.length ? t("peers_count", { n: online }) : "";
        this.bar.hidden = !peers.length;
        this.table.hidden = !found.length;
        const busy = peers.some((peer) => peer.activity !== null || peer.up !== null || peer.total_up || peer.total_down);
        this.table.classList.toggle("ln-quiet-table", !busy);
        render(found.length ? nothing : this.filter && peers.length
            ? notice("empty", t("peer_none_match", { text: this.filter.slice(0, 60) }), "") : this.nobody(status), this.empty);
        this.list.show(inOrder(found));
    }

    matches(peer) {
        return peer.nickname.toLowerCase().includes(this.filter) || peer.mid.startsWith(this.filter)
            || peer.addresses.some(({ ip }) => ip.includes(this.filter));
    }

    /** What a row shows of a peer. */
    item(peer) {
        return {
            key: peer.mid, name: peer.nickname, local: localState(peer), online: peer.online, interface: peer.interface,
            addresses: peer.addresses.map(({ ip, port }) => [ip.slice(0, 46), port]), rtt: peer.online ? milliseconds(peer.rtt_ms) : "–",
            seen: peer.online ? "" : ago(peer.last_seen), at: peer.online ? 0 : Math.floor(peer.last_seen),
            activity: peer.online ? peer.activity : null, up: peer.online ? peer.up : null, down: peer.online ? peer.down : null,
            totals: [peer.total_up, peer.total_down], capabilities: peer.capabilities.slice(0, SHOWN_CAPABILITIES),
            friend: peer.friend, pending: this.pending.has(peer.mid),
        };
    }

    draw(row, item) {
        row.setAttribute("role", "row");
        row.dataset.mid = item.key;
        row.className = item.online ? "ln-here" : "ln-away";
        render(html`
            <td role="cell" class="ln-name">${item.name ? foreign(item.name, "ln-nickname")
                : html`<span class="ln-nickname ln-nameless">${t("no_name")}</span>`}
                <code title="mid ${item.key}">${short(item.key)}</code></td>
            <td role="cell" class="ln-where" data-label=${t("col_where")}>${this.badge(item)}
                ${item.online ? html`<span class="ln-sub">${item.interface ?? ""}</span>`
                    : html`<span class="ln-sub" title=${t("seen_at", { time: clock(item.at) })}>${t("seen", { ago: item.seen })}</span>`}</td>
            <td role="cell" class="ln-address" data-label=${t("col_address")}>${this.addresses(item)}</td>
            <td role="cell" class="ln-rtt" data-none=${item.rtt === "–"} data-label=${t("col_rtt")}>${item.rtt}</td>
            <td role="cell" class="ln-activity" data-none=${item.activity === null && item.up === null} data-label=${t("col_activity")}>${this.doing(item)}</td>
            <td role="cell" class="ln-total" data-label=${t("col_total")}>${this.rates(...item.totals, bytes)}</td>
            <td role="cell" class="ln-offers" data-label=${t("col_offers")}>${item.capabilities.map((name) => this.capability(name)).join(", ") || "–"}</td>
            <td role="cell" class="ln-friend" data-label=${t("col_friend")}>${this.friend(item)}</td>`, row);
    }

    badge({ local, online }) {
        if (local) return html`<span class="ln-local" data-state=${local} title=${t(`local_${local}`)}>${t("local")}</span>`;
        return html`<span class="ln-sub">${online ? t("elsewhere") : "–"}</span>`;
    }

    addresses({ addresses }) {
        if (!addresses.length) return "–";
        const all = addresses.map(([ip, port]) => `${ip} port ${port}`).join("\n");
        const more = addresses.length - 1;
        return html`<span title=${all}>${addresses[0][0]}</span>${more
            ? html`<span class="ln-sub" title=${all}>${t("more_addresses", { count: more })}</span>` : nothing}`;
    }

    doing({ activity, up, down }) {
        if (activity === null && up === null && down === null) return html`<span class="ln-sub">–</span>`;
        return html`<span class="ln-doing" data-activity=${activity ?? ""}>${activity === null ? "" : t(`activity_${activity}`)}</span>
            ${up || down ? this.rates(up, down, rate) : nothing}`;
    }

    rates(up, down, words) {
        if (!up && !down) return html`<span class="ln-sub">–</span>`;
        return html`<span class="ln-updown"><span><i aria-hidden="true">↑</i><span class="ln-hear">${t("up")}</span>${words(up)}</span>
            <span><i aria-hidden="true">↓</i><span class="ln-hear">${t("down")}</span>${words(down)}</span></span>`;
    }

    capability(name) {
        const text = t(`cap_${name}`);
        return text.startsWith("cap_") ? name.slice(0, 20) : text;
    }

    /** The four states of a friendship, and what may be done in each. */
    friend({ key, name, friend, pending }) {
        const who = name || short(key);
        const button = (method, word, label, kind = "") => html`<button type="button" class="ln-button ln-small" data-kind=${kind}
            aria-label=${t(label, { name: who })} ?disabled=${pending} @click=${() => this.change(key, method)}>${t(word)}</button>`;
        const state = html`<span class="ln-friendship" data-friend=${friend}>${t(`friend_${friend}`)}</span>`;
        if (friend === "sent") return html`${state}${button("DELETE", "friend_withdraw", "friend_withdraw_of")}`;
        if (friend === "received") {
            return html`${state}${button("PUT", "friend_accept", "friend_accept_of", "main")}
                ${button("DELETE", "friend_refuse", "friend_refuse_of")}`;
        }
        if (friend === "mutual") return html`${state}${button("DELETE", "friend_end", "friend_end_of")}`;
        return button("PUT", "friend_none", "friend_ask_of");
    }

    async change(mid, method) {
        this.pending.add(mid);
        this.showAll(this.peers, this.status);
        try {
            await this.act(method, `/friends/${mid}`);
        } catch { // told by act
        } finally {
            this.pending.delete(mid);
            this.showAll(this.peers, this.status);
        }
    }

    /** Nobody is here: say what to do. */
    nobody(status) {
        if (!status) return html`<p class="ln-loading" role="status">${t("peers_loading")}</p>`;
        if (this.off) {
            return notice("empty", t("off"), t("off_do"), html`<button type="button" class="ln-button" data-kind="main"
                @click=${() => this.set({ enabled: true }).catch(() => {})}>${t("switch_on")}</button>`);
        }
        const unused = !status.interfaces.some((item) => item.joined.length > 0);
        const onlyLoopback = !unused && status.interfaces.every((item) => item.name === "lo" || !item.joined.length);
        const hint = unused ? t("nobody_no_network") : onlyLoopback ? t("nobody_lo") : "";
        return html`<div class="ln-notice" data-kind="empty"><h3>${t("nobody")}</h3>
            <ol><li>${t("nobody_1")}</li><li>${t("nobody_2")}</li><li>${t("nobody_3")}</li></ol>
            ${hint ? html`<p class="ln-hint">${hint}</p>` : nothing}
            <button type="button" class="ln-button" data-kind="main" @click=${this.check}>${t("check_network")}</button></div>`;
    }

    stop() { this.list.stop(); }
}
